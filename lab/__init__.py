"""A virtual machine with a real SR-IOV NIC, for tests and for trying things by hand. See docs/lab.md."""
