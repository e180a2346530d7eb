"""host-device: move any device of the host into a pod and give it back as it was.

`add`, `delete` with GC, and `check` with STATUS are the commands. `config` reads and checks the
configuration, `device` finds the device that it names, `attachment` is the record of what the device was like, `claims`
knows whose a device is, `transfer` gives it back.
"""
