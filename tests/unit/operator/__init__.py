"""The operator's command, without a kernel that it needs."""
