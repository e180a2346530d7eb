"""Networks by hand, as a container runtime has them: lists of plugins, executed in order, and libcni's cache of them.

The CNI specification says what a runtime does (section 3, "Execution of Network Configurations"), libcni how most of
them do it (containernetworking/cni, libcni). What is begun here, a runtime or cnitool can finish, and the other way
round.
"""
