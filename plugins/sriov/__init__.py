"""sriov: give a pod an SR-IOV virtual function, configured through its physical function, and take it back.

All that it does is done in `plugins.vf`. Its own are the parameters (`config`) and the record in the format of
sriov-cni (`record`); `plugin` tells the engine of them.
"""
