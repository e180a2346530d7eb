"""The operator's command: shows, checks, prepares and repairs a node whose pods have VFs.

It is above everything else: it may import the plugins, IPAM and the core, and none of them imports it. A person waits
for it, so it is built of libraries: click, rich, pyroute2, pyudev, netaddr.
"""
