"""What the plugins that give SR-IOV virtual functions to pods have in common, which is nearly all.

`plugin`, `device`, `attachment` and `returning` are the four classes for the engine. `config` is what is asked for
a VF, `vf` shows VF and PF as sysfs does, `plan` says which settings are to be made, `pf` makes them, `mac` is about the
VF's own address, `fixed_mac` about one that a dead pod's VF has. `ownership` knows whose a VF is, `record` what is on
disk, `unrecorded` finds a VF without that.
"""
