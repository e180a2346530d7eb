"""The static IPAM type: the addresses that the configuration or the runtime names."""
