"""The host-local IPAM type: addresses from ranges, kept in files of this host."""
