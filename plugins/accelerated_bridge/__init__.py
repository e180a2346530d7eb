"""accelerated-bridge: give a pod an SR-IOV virtual function of a NIC in switchdev mode, its representor to a bridge.

What is done with the VF is done in `plugins.vf`. Its own are the parameters (`config`), the record in the format of
accelerated-bridge-cni (`record`), and the representor as a port of the bridge (`port`) with the VLANs of the uplink
(`uplink`); `plugin` tells the engine of them.
"""
