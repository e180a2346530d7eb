"""What the plugins that give SR-IOV virtual functions to pods have in common, which is nearly all.

`commands` makes such a plugin from a `kind`, which says in what it differs from others. `add`, `delete` with GC, and
`check` with STATUS are its commands. `config` is what is asked for a VF, `device` finds VF and PF in sysfs, `plan` says
which settings are to be made, `pf` makes them, `mac` is about the VF's own address. `attachment` is what is known of an
attached VF, `record` that on disk, `claims` knows whose a VF is, `transfer` gives it back.
"""
