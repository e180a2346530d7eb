"""What ADD decides to do with a device of which all is known, and the doing.

A list of steps says what will be done, in order; nothing is asked or done for that. Three undos are enough: the device
is given back as DEL does it, the addresses are released, and a move that is under way is waited for.
"""

from __future__ import annotations

from cni.attach import deviceinfo, identity, ifconfig, move, restore
from cni.attach.attachment import Attachment
from cni.attach.call import Call
from cni.attach.claims import Claims
from cni.attach.ifconfig import PodLink
from cni.attach.plugin import Device
from cni.attach.rollback import Rollback
from cni.attach.step import Step, carry_out
from cni.linux.background import Background
from cni.linux.netlink import link, nsid
from cni.linux.netns import NetNS
from cni.linux.signals import Deferred, ignore_termination
from cni.protocol.errors import GENERIC, CniError
from cni.protocol.result import Result


class Attaching:
    """One ADD on its way: what its steps know of each other, and the steps.

    attachment: what is recorded, if the device needs a record. result: what ADD returns, complete when all is done.
    """

    __slots__ = (
        *("_addresses", "_announced", "_announcing", "_inside", "_interface", "_moving", "_steps"),
        *("attachment", "call", "claims", "device", "pod", "result"),
    )

    def __init__(self, call: Call, device: Device, attachment: Attachment, pod: NetNS, claims: Claims) -> None:
        self.call = call
        self.device = device
        self.attachment = attachment
        self.pod = pod
        self.claims = claims
        self._inside = PodLink(pod, 0, call.request.ifname)
        self._interface = device.interface(attachment, call.request)
        self.result = Result([self._interface])
        self._steps: list[Step] = []
        self._moving: Background | None = None
        self._addresses: Result | None = None
        self._announcing = self._announced = False

    def claiming(self) -> list[Step]:
        """Return the steps that are taken under the shared lock, none where nothing is recorded."""
        attachment, claims = self.attachment, self.claims
        if not self.device.needs_record:
            return []
        return [
            Step(
                f"record what {attachment.name} is like",
                lambda: claims.make(attachment),
                [(f"give {attachment.name} back", lambda: claims.undo(attachment, self.pod))],
            ),
            *self.device.connecting(attachment, self.call),
        ]

    def steps(self) -> list[Step]:
        """Return all steps after that, in order. Nothing is done for it, and neither host nor pod is asked."""
        conf, call, attachment = self.call.conf, self.call, self.attachment
        kind = conf.ipam.string("type") if conf.ipam is not None else ""
        releasing = [("release the addresses", call.release_addresses)]
        root, log, inside = self.claims.plugin.sysfs_root, call.log, self._inside
        publishing = Step(
            "publish device information", lambda: deviceinfo.publish_for(conf, self.device.folder, root, log)
        )
        publish = [publishing] * deviceinfo.is_wanted(conf)
        configuring = self.device.configuring(attachment, call, self.claims.note)
        if attachment.original is None:
            asking = [Step(f"take addresses from {kind}", self._choose, releasing)] * bool(kind)
            return [*configuring, *asking, Step("make the result", self._make_result), *publish]
        name, ifname, path = attachment.name, call.request.ifname, self.pod.path
        moving, built_in = [("end the move", self._end_move)], bool(kind) and call.ipam.is_built_in(conf)
        if built_in:
            # The kernel takes its time over the move. Meanwhile addresses are chosen.
            into_pod = Step(f"move {name} into {path} as {ifname} and take addresses from {kind} meanwhile",
                            self._move_and_choose, releasing + moving)  # fmt: skip
        else:
            into_pod = Step(f"move {name} into {path} as {ifname}", lambda: self._start_move().wait(), moving)
        return [
            *configuring,
            into_pod,
            Step(f"detach what sees the packets of {ifname}", self._arrive),
            *self.device.configuring_in_pod(attachment, inside),
            # Before it comes up, so that the kernel announces them.
            *[Step(f"give {ifname} its addresses", self._add_addresses)] * built_in,
            Step(f"bring {ifname} up", self._bring_up),
            # A plugin such as dhcp talks through the link, which therefore is there and up.
            *[
                Step(f"take addresses from {kind}", self._choose, releasing),
                Step(f"give {ifname} its addresses", self._add_addresses),
            ]
            * (bool(kind) and not built_in),
            Step("make the result", self._make_result),
            Step(f"give {ifname} its routes", lambda: ifconfig.add_routes(inside, self.result, log)),
            Step(
                f"announce the addresses of {ifname}",
                lambda: ifconfig.announce(inside, self.result, self._announced, log),
            ),
            *publish,
        ]

    def claim(self, undo: Rollback) -> None:
        """Take the first steps, under the shared lock. undo: takes back what was done. Raises CniError."""
        claiming, self._steps = self.claiming(), self.steps()
        self.call.log.debug(f"plan: {', '.join(step.does for step in claiming + self._steps)}")
        carry_out(claiming, undo, self.call.log)

    def finish(self, undo: Rollback) -> Result:
        """Take all other steps, and return the result. undo: takes back what was done until then. Raises CniError."""
        carry_out(self._steps, undo, self.call.log)
        ignore_termination()  # from here on the attachment stands: an error would say that it does not
        undo.commit()
        if self.device.needs_record:
            self.call.log.debug(f"{self.attachment.name} is {self.call.request.ifname} in {self.pod.path} now")
        return self.result

    def _start_move(self) -> Background:
        attachment, call = self.attachment, self.call
        assert attachment.original is not None
        with Deferred():  # were we told to end in between, the undo would run beside the move, on the same socket
            self._moving = Background(
                move.into_pod,
                *(call.host, self.pod, attachment.original, call.request.ifname, attachment.pod_index, call.log),
            )
        return self._moving

    def _move_and_choose(self) -> None:
        moving = self._start_move()
        self._choose()
        moving.wait()

    def _end_move(self) -> None:
        if self._moving is not None:
            self._moving.join()

    def _choose(self) -> None:
        self._addresses = self.call.ipam.add(self.call.request, self.call.conf, self.call.log)

    def _arrive(self) -> None:
        """Find the link that was moved into the pod, known by the index that the move gave it, and detach the programs
        that see its packets. Raises CniError when it is not there any more.
        """
        attachment, pod, host = self.attachment, self.pod, self.call.host
        index, sought = attachment.pod_index, attachment.sought()
        found = link.get(pod.netlink, index=index, known_as=attachment.owner.ifname) if index else None
        if found is None or sought.contradiction(found, nsid.UNKNOWN):
            found, seen = identity.in_pod(sought, host, pod, knows_index=index > 0)
            if found is None:
                raise CniError(GENERIC, f"{attachment.owner.ifname} has vanished from {pod.path} during ADD", seen)
            attachment.pod_index = found.index
            self.claims.note(attachment)  # the kernel has chosen another one (before Linux 5.13)
        with pod.entered():
            restore.without_filters(pod, found, self.call.log)
        self._inside.index = found.index
        self._interface.mac, self._interface.mtu = found.mac, found.mtu

    def _add_addresses(self) -> None:
        assert self._addresses is not None
        self._announcing = ifconfig.add_addresses(self._inside, self._addresses, self.call.log)

    def _bring_up(self) -> None:
        self.device.bring_up(self.attachment, self._inside, self._interface)
        self._announced = self._announcing and ifconfig.kernel_announced(self._inside)

    def _make_result(self) -> None:
        """Make IPAM's result one for our interface. As in the reference plugins, DNS is the network configuration's and
        not IPAM's, and a network without IPAM has none. Raises CniError when IPAM gave no address, in the words users
        know.
        """
        addresses = self._addresses
        if addresses is None:
            return
        if not addresses.ips:
            raise CniError(GENERIC, "IPAM plugin returned missing IP config", "everything is undone")
        for ip in addresses.ips:
            ip.interface = 0
        self.result = Result([self._interface], addresses.ips, addresses.routes, self.call.conf.dns)
