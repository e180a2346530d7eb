"""An attachment of a device to a pod as all plugins know it: whose it is, and what its link was like before ADD."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from cni.attach.identity import Sought, in_pod
from cni.linux import boot
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS
from cni.protocol.config import NetConf
from cni.protocol.request import Request

POD_KEYS = ("K8S_POD_NAMESPACE", "K8S_POD_NAME", "K8S_POD_UID")
"""What Kubernetes runtimes say of the pod in CNI_ARGS, and what records keep of that."""


@dataclass(slots=True, eq=False)
class Owner:
    """Whose an attachment is.

    container_id, ifname, network: as the runtime names them. netns, netns_cookie, netns_inode: the pod's namespace, by
    its path and by what no other has, empty or 0 where a Go plugin wrote the record or the kernel does not tell.
    boot_id: the boot in which it was attached. pod: POD_KEYS as far as known. ipam: what `IPAM.remember` gave.
    """

    container_id: str
    ifname: str
    network: str
    netns: str = ""
    netns_cookie: int = 0
    boot_id: str = ""
    netns_inode: int = 0
    pod: dict[str, str] = field(default_factory=dict)
    ipam: dict[str, object] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells it from all others: container ID, interface name, network."""
        return self.container_id, self.ifname, self.network

    def may_have(self, pod: NetNS) -> bool:
        """Return whether nothing speaks against a namespace's being the pod's, wherever it was found."""
        if self.netns_cookie and pod.cookie:
            return self.netns_cookie == pod.cookie
        return self.netns_inode in (0, os.fstat(pod.fd).st_ino)

    def describe(self) -> str:
        """Return who it is, for messages: the pod by its name if that is known, else the container."""
        named = "/".join(self.pod[key] for key in POD_KEYS[:2] if key in self.pod)
        return f"{self.container_id} ({named})" if named else self.container_id


def owner_of(request: Request, conf: NetConf, pod: NetNS, ipam: dict[str, object]) -> Owner:
    """Return whose an attachment that ADD makes is. ipam: what `IPAM.remember` gave. Raises CniError."""
    # Whoever comes later may be in another folder.
    path = os.path.abspath(request.netns)
    named = zip(POD_KEYS, (request.pod.namespace, request.pod.name, request.pod.uid), strict=True)
    pod_names = {key: value for key, value in named if value}
    place = (path, pod.cookie, boot.current(), os.fstat(pod.fd).st_ino)
    return Owner(request.container_id, request.ifname, conf.name, *place, pod_names, ipam)


@dataclass(slots=True, eq=False)
class Attachment:
    """One attachment. original: the link as it was on the host, None for a device without one. master: the name of the
    bridge or bond that it was a port of. pod_index: the link's index in the pod, 0 where that is not known. is_ours:
    whether one of us wrote the record.
    """

    owner: Owner
    original: Link | None
    master: str = field(default="", kw_only=True)
    pod_index: int = field(default=0, kw_only=True)
    is_ours: bool = field(default=True, kw_only=True)

    @property
    def key(self) -> str:
        """What the device's lock is called: its address on a bus, or the name of a virtual link."""
        return self.name

    @property
    def home(self) -> str:
        """The path of the pod's namespace, empty where nobody knows it."""
        return self.owner.netns

    @property
    def is_of_this_boot(self) -> bool:
        """Whether what it describes can still be so: links, and what is set on them, do not outlive a boot. A record
        that does not say when it was written counts as one of this boot.
        """
        return self.owner.boot_id in ("", boot.current())

    @property
    def name(self) -> str:
        """What the device is called in messages: its name on the host."""
        return self.original.name if self.original is not None else ""

    def sought(self, parents: tuple[str, ...] = ()) -> Sought:
        """Return what the link is known by. parents: as in `Sought`. There has to be one."""
        assert self.original is not None
        return Sought(self.original, parents, self.owner.ifname, self.pod_index)

    def link_in(self, pod: NetNS, host: NetNS) -> Link | None:
        """Return the link in a pod, which may have renamed it and changed its address; None without."""
        return in_pod(self.sought(), host, pod, self.knows(pod))[0]

    def knows(self, pod: NetNS) -> bool:
        """Return whether a namespace is known to be the one that the link went to. Before Linux 5.14, which has no
        cookies, the path has to do.
        """
        is_told = self.owner.netns_cookie == pod.cookie if pod.cookie else bool(self.owner.netns_inode)
        return bool(self.owner.netns) and is_told and self.owner.may_have(pod)
