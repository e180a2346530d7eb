"""Prepares a node: PFs get the VFs, the switch mode, the drivers and the vDPA devices that are wished for.

`plan` decides by which `steps` a PF becomes what somebody wants (`node.wish`), `carry_out` does these and takes them
back, `kernel` is what they are done with, `change` is all of that under locks. `in_use`, `session` and `claims` say why
a PF is left alone. `pfs_file` and `persistent` are for the next boot, `numvfs` and `explain` for the errors.
"""
