"""host-device: move any device of the host into a pod and give it back as it was.

`plugin`, `device`, `attachment` and `returning` are the four classes for the engine. `config` reads and checks the
configuration, `unrecorded` finds what the reference plugin attached.
"""
