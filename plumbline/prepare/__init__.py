"""Prepares a node: PFs get the VFs, the switch mode, the drivers and the vDPA devices that are wished for.

`wish` is what somebody wants of a PF, `plan` decides by which `steps` it is had, `carry_out` does these and takes them
back, `kernel` is what they are done with, `change` is all of that under locks. `in_use`, `session` and `claims` say why
a PF is left alone. `pfs_file` and `persistent` are for the next boot, `numvfs` and `explain` for the errors.
"""
