"""resolv.conf(5) as the `dns` of a result."""

from __future__ import annotations

from cni import files
from cni.errors import IO_FAILURE, CniError
from cni.result import DNS


def read(path: str) -> DNS:
    """Return the settings in the file, DNS() for an empty path.

    Of several `domain` lines the last counts; `search` and `options` add up, as in the reference plugin.
    Raises CniError (code 5) that names field and path.
    """
    dns = DNS()
    if not path:
        return dns
    try:
        data = files.read(path)
    except CniError as e:
        raise CniError(e.code, f"ipam.resolvConf: {e.msg}", e.details) from None
    if data is None:
        raise CniError(IO_FAILURE, f"ipam.resolvConf: cannot open {path}: No such file or directory")
    for line in data.decode("utf-8", "replace").splitlines():
        keyword, *values = line.split() or [""]
        if not values or keyword[0] in "#;":
            continue
        if keyword == "nameserver":
            dns.nameservers.append(values[0])
        elif keyword == "domain":
            dns.domain = values[0]
        elif keyword == "search":
            dns.search.extend(values)
        elif keyword == "options":
            dns.options.extend(values)
    return dns
