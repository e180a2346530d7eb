"""Tests on real VFs, inside the lab's virtual machine."""
