"""`plumbline show` for a person."""

from __future__ import annotations

import io

from plumbline import output
from plumbline.node.details import Details
from plumbline.node.model import Owner, Pod, Settings, Source
from plumbline.node.record import Asked, Record
from plumbline.verbs import show
from tests.unit.operator import nodes
from tests.unit.operator.test_documents import DETAILS


def shown(details: Details) -> list[str]:
    """Return the lines."""
    stream = io.StringIO()
    show.draw(output.console(stream), details)
    return stream.getvalue().splitlines()


def test_vf() -> None:
    """All of it, a property a line; what belongs to the one above has no name."""
    assert shown(DETAILS["VF"]) == [
        "eth0:0  pod  0000:03:02.0",
        "driver       iavf",
        "at the PF    MAC 02:00:00:00:00:2a, vlan 100 qos 3 802.1ad, spoofchk off, trust on, link-state enable,"
        " min_tx_rate 10, max_tx_rate 100",
        "link         net1, in /run/netns/pod1",
        "             up, 02:00:00:00:00:2a, MTU 1500",
        "             also altnet1",
        "             10.0.0.2/24, fe80::1/64",
        "representor  eth0_0, up, 02:00:00:00:00:2a, MTU 1500, in br0",
        "vDPA         vdpa0, vhost, /dev/vhost-vdpa-0",
        "RDMA         irdma0",
        "IOMMU group  17",
        "owner        default/web, net1, network blue, told by the plugin's record",
        "             container c0ffee, UID 6f1c2d3e",
        "             namespace /run/netns/pod1",
        "owner        default/web, net1, network blue, told by the plugin's record",
        "             container c0ffee, UID 6f1c2d3e",
        "             namespace /run/netns/pod1, which is gone",
        "record       /var/lib/cni/sriov/c0ffee-net1",
        "             written by a Go plugin at 2017-07-14 02:40:00+00:00",
        "  asked      mac 02:00:00:00:00:2a, mtu 1400, vlan 7, vlanQoS 3, vlanProto 802.1Q, spoofchk off, trust on,"
        " linkState disable, minTxRate 1, maxTxRate 2, bridge br0,br1, trunk 1,2",
        "  before     eth0v0, up, 02:00:00:00:00:2a, MTU 1500",
        "             at the PF: MAC 02:00:00:00:00:2a, vlan 100 qos 3 802.1ad, spoofchk off, trust on,"
        " link-state enable, min_tx_rate 10, max_tx_rate 100",
        "             representor: eth0_0, up, 02:00:00:00:00:2a, MTU 1500",
        "record       /var/lib/cni/sriov/c0ffee-net1",
        "             written by a Go plugin at a time that is not known",
        "device info  /var/run/k8s.cni.cncf.io/devinfo/dp/x.json",
        '             {"type": "pci", "pci": {}}',
    ]


def test_pf() -> None:
    """A PF has no owner."""
    assert shown(DETAILS["PF"])[:10] == [
        "eth0  PF",
        "address     0000:03:00.0",
        "driver      ice",
        "model       Intel E810",
        "switch      switchdev",
        "speed       25G",
        "VFs         5/7/8 used/made/possible",
        "autoprobe   on",
        "NUMA node   0",
        "persistent  yes",
    ]


def test_owners() -> None:
    """Each is called by the best that is known of it."""
    details = Details("node1", "ens5", None)
    details.owners = [
        Owner(Source.KUBELET, Pod(uid="0a1b")),
        Owner(Source.VFIO, netns="/proc/7/ns/net", alive=True, program="7 qemu"),
        Owner(Source.ALLOCATION, netns="/gone", alive=False),
    ]
    assert shown(details) == [
        "ens5  attached device",
        "owner  0a1b, told by the kubelet's checkpoint",
        "       UID 0a1b",
        "owner  7 qemu, told by the program's open files",
        "       namespace /proc/7/ns/net",
        "owner  /gone, told by sriov-cni's note of who has it",
        "       namespace /gone, which is gone",
    ]


def test_an_earlier_boot() -> None:
    """A record of an earlier boot says so."""
    details = Details("node1", "ens5", None, records=[Record("host-device", "/x", 0.0, False, True)])
    assert shown(details)[2] == "        written by host-device at 1970-01-01 00:00:00+00:00, in an earlier boot"


def test_what_is_not_known_is_not_said() -> None:
    """accelerated-bridge records no VLAN of the VF; nobody may think that it had none."""
    assert show.settings(Settings(nodes.MAC, None, None, None, True, False, None, None, None)) == (
        "MAC 02:00:00:00:00:2a, spoofchk on, trust off"
    )
    assert show.asked_for(Asked()) == ""
    assert show.asked_for(Asked(trust=False, vlan=0)) == "vlan 0, trust off"
