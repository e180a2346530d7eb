"""resolv.conf(5) as the `dns` of a result.

Whoever may write a network configuration chooses the path, so it must not tell what is on the host: the file lies in
one of the usual folders, is decided on without being opened, and all refusals read the same, whatever there is.
"""

from __future__ import annotations

import errno
import os

from cni.linux import files
from cni.protocol.limits import DNS_ENTRIES, RESOLV_CONF_BYTES
from cni.protocol.result import DNS
from cni.protocol.section import refused
from ipam import nodeconfig

FOLDERS = (
    "/etc", "/run/NetworkManager", "/run/connman", "/run/netconfig", "/run/resolvconf", "/run/systemd/resolve",
    "/usr/lib/systemd",
)  # fmt: skip
"""Where /etc/resolv.conf leads to: distributions make it a link to what the named programs write, or systemd ships."""

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG, errno.EXDEV, errno.EINVAL,
           errno.EFBIG, errno.EISDIR, errno.ENXIO, errno.EPERM)  # fmt: skip


def read(path: str, node_config: str = nodeconfig.PATH) -> DNS:
    """Return the settings in the file, DNS() for an empty path. node_config: path of the administrator's file.

    Of several `domain` lines the last counts; `search` and `options` add up, as in the reference plugin.
    Raises CniError: code 7 that names field and path, the same for every file that is not to be read; code 5 when the
    kernel fails.
    """
    if not path:
        return DNS()
    folders = [*FOLDERS, *nodeconfig.load(node_config).resolv_conf_dirs]
    wanted = (
        f"the path of a file in the form of resolv.conf(5), of at most {RESOLV_CONF_BYTES} bytes, in or below "
        f"{', '.join(folders)}, or a folder that is among the resolvConfDirs in {node_config}"
    )
    try:
        dns = _parsed(_content(path, folders))
    except OSError as e:
        if e.errno in _ABSENT:
            raise refused("ipam.resolvConf", path, wanted) from None
        raise files.io_failure("read", f"ipam.resolvConf {path}", e) from e
    # Of a file with another name, to be read at all would tell that it is there.
    is_strange = not dns.nameservers and "resolv" not in os.path.basename(path)
    if is_strange or max(len(dns.nameservers), len(dns.search), len(dns.options)) > DNS_ENTRIES:
        raise refused("ipam.resolvConf", path, wanted)
    return dns


def _content(path: str, folders: list[str]) -> str:
    if not path.startswith("/") or any(part in (".", "..") for part in path.split("/")):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    with files.closing(files.open_beneath(path, folders)) as fd:
        return files.read_all(fd, RESOLV_CONF_BYTES).decode("utf-8", "replace")


def _parsed(text: str) -> DNS:
    dns = DNS()
    lists = {"search": dns.search, "options": dns.options}
    for line in text.splitlines():
        keyword, *values = line.split() or [""]  # a comment's is no keyword
        if keyword == "nameserver":
            dns.nameservers += values[:1]
        elif keyword == "domain":
            dns.domain = values[0] if values else dns.domain
        elif keyword in lists:
            lists[keyword] += values
    return dns
