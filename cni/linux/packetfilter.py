"""Programs that see a link's packets, and stay with it when it moves to another namespace: XDP, and classifiers (tcx).

A pod that may load programs can leave one on a device. XDP programs are detached by rtnetlink (`netlink.link`), but
for those that a bpf_link holds; these, and classifiers since Linux 6.6, by bpf(2). Older classifiers are part of a
queueing discipline, which a move destroys.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator

from cni.linux.files import closing
from cni.linux.libc import bpf

PROG_DETACH = 9
PROG_GET_FD_BY_ID = 13
OBJ_GET_INFO_BY_FD = 15
PROG_QUERY = 16
LINK_GET_FD_BY_ID = 30
LINK_GET_NEXT_ID = 31
LINK_DETACH = 34

TCX_INGRESS, TCX_EGRESS = 46, 47
LINK_TYPE_XDP = 6

MAX_CLASSIFIERS = 64
"""How many classifiers of one direction are detached at a time: the kernel has no more (BPF_MPROG_MAX)."""

MAX_LINKS = 1 << 16
"""How many bpf_links of the node are looked at for the one that holds a program."""

_ATTRIBUTES_BYTES = 128
_QUERY = struct.Struct("=IIIIQIIQQQQ")  # target, type, flags, attach flags, IDs, count, pad, flags, link IDs, flags
_LINK_INFO = struct.Struct("=IIIxxxxI")  # type, id, program's ID; of XDP: the link's index
_INFO_BYTES = 256


def _attributes(layout: str, *values: int) -> bytearray:
    return bytearray(struct.pack(layout, *values).ljust(_ATTRIBUTES_BYTES, b"\0"))


def detach_classifiers(index: int) -> int:
    """Detach the classifiers of a link in the calling thread's namespace; return how many there were.

    index: of the link. 0 also where the kernel has none of this kind. Raises OSError.
    """
    return sum(_detach_classifiers(index, direction) for direction in (TCX_INGRESS, TCX_EGRESS))


def _detach_classifiers(index: int, direction: int) -> int:
    programs, links = bytearray(4 * MAX_CLASSIFIERS), bytearray(4 * MAX_CLASSIFIERS)
    query = _attributes(_QUERY.format, index, direction, 0, 0, 0, MAX_CLASSIFIERS, 0, 0, 0, 0, 0)
    try:
        bpf(PROG_QUERY, query, ((16, programs), (40, links)))
    except OSError as e:
        if e.errno in (errno.ENOENT, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM):
            return 0  # there is none; or the kernel does not know of them, or does not let anybody know
        raise
    count = _QUERY.unpack_from(query)[5]
    for at in range(count):
        program, link = (struct.unpack_from("=I", buffer, 4 * at)[0] for buffer in (programs, links))
        if link:
            _detach_link(link)
            continue
        with closing(bpf(PROG_GET_FD_BY_ID, _attributes("=I", program))) as fd:
            bpf(PROG_DETACH, _attributes("=III", index, fd, direction))
    return int(count)


def detach_xdp_link(index: int, program: int) -> bool:
    """Detach the XDP program of a link in any namespace that a bpf_link holds; return whether that was done.

    index: of the link. program: the program's ID. Which namespace a bpf_link's index is of, the kernel does not tell:
    where the same program is attached to several links with this index, none is detached. Raises OSError.
    """
    found = [link for link, info in _links() if info == (LINK_TYPE_XDP, program, index)]
    if len(found) != 1:
        return False
    _detach_link(found[0])
    return True


def _links() -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Give the ID of each bpf_link, and its type, its program's ID, and the index of its link if it is of XDP."""
    last = 0
    for _ in range(MAX_LINKS):
        following = _attributes("=II", last, 0)
        try:
            bpf(LINK_GET_NEXT_ID, following)
        except OSError as e:
            if e.errno == errno.ENOENT:
                return
            raise
        last = struct.unpack_from("=I", following, 4)[0]
        try:
            fd = bpf(LINK_GET_FD_BY_ID, _attributes("=I", last))
        except OSError:  # it has gone
            continue
        info = bytearray(_INFO_BYTES)
        with closing(fd):
            bpf(OBJ_GET_INFO_BY_FD, _attributes("=IIQ", fd, _INFO_BYTES, 0), ((8, info),))
        kind, _, program, index = _LINK_INFO.unpack_from(info)
        yield last, (kind, program, index)


def _detach_link(link: int) -> None:
    with closing(bpf(LINK_GET_FD_BY_ID, _attributes("=I", link))) as fd:
        bpf(LINK_DETACH, _attributes("=I", fd))
