"""sriov: give a pod an SR-IOV virtual function, configured through its physical function, and take it back.

`add`, `delete` with GC, and `check` with STATUS are the commands. `config` reads and checks the configuration, `device`
finds VF and PF in sysfs, `plan` says which settings are to be made, `pf` makes them, `mac` is about the VF's own
address. `record` is what the VF was like, in the format of sriov-cni, `claims` knows whose a VF is, `transfer` gives it
back.
"""
