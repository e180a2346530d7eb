"""A device of the host goes into a pod and comes back as it was, whatever device and whatever plugin it is."""
