"""What the CNI specification says, pure: no kernel, no files."""
