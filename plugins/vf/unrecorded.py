"""A VF that a pod has though no record tells of it: that was damaged, or somebody removed it.

What the VF was like before is not known; its link is fetched, and what is connected besides it is cut.
"""

from __future__ import annotations

from cni.attach import move, restore
from cni.attach.call import Call
from cni.linux import netns
from cni.linux.netlink import link
from plugins.vf import vf


def fetch(address: str, call: Call, sysfs_root: str) -> bool:
    """Move a VF's link from the pod that the request names, if that is there, to the host, knowing nothing but its PCI
    address; return whether it was in the pod.

    Its name is an alternative one that it has, which is udev's for it, or one after its PF. Raises CniError.
    """
    host, log = call.host, call.log
    pod = netns.if_there(call.request.netns, log)
    if pod is None:
        return False
    with pod:
        parents = vf.parents(address, sysfs_root)
        found = next((x for x in link.dump(pod.netlink) if x.parent in parents and x.movable is not False), None)
        if found is None:
            return False
        known = vf.find(address, sysfs_root, needs_pf=False)
        name = next(iter(found.altnames), "") or f"{known.pf[: link.IFNAMSIZ - 5] or 'vf'}v{max(known.index, 0)}"
        back = move.onto_host(host, pod, found, name, log)
    if back is not None:
        restore.without_filters(host, back, log)
        name = back.name
    log.warning(f"VF {address} has no record: its link is {name} on the host now, and keeps the settings it was given")
    return True
