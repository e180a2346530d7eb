"""rtnetlink, the kernel's interface to links, addresses and routes (man 7 rtnetlink).

`codec` packs and reads attributes, `socket` exchanges messages, and one module each knows links, addresses, routes.
The few messages that ADD and DEL need are packed with `struct`: loading pyroute2's codecs costs more time than the
whole rest of a plugin's start. The tests compare every message with pyroute2's.
"""
