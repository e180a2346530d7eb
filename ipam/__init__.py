"""IP address management: the built-in types, and the way to them and to any other."""
