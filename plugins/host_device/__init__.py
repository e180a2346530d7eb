"""host-device: move any device of the host into a pod and give it back as it was.

`config` reads and checks the network configuration, `device` finds the device that it names, `attachment` is the record
of what the device was like, `transfer` gives it back, `commands` are ADD, DEL, CHECK, STATUS and GC.
"""
