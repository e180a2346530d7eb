"""What the plugins have in common: a link of the host that goes into a pod and comes back as it was."""
