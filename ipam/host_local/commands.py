"""The commands of host-local: the same in-process and in the binary."""

from __future__ import annotations

import os

from cni.errors import invalid_config
from ipam.host_local.add import add, prepare
from ipam.host_local.boot import Boot
from ipam.host_local.release import collect_garbage, release_attachment
from ipam.host_local.store import Store
from ipam.host_local.verify import check, status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.config import NetConf
    from cni.log import Logger
    from cni.request import Request
    from cni.result import Result

DATA_DIR = "/var/lib/cni/networks"


class HostLocal:
    """ADD, DEL, CHECK, STATUS and GC; all raise CniError.

    data_dir: where stores are unless the configuration says otherwise. boot: the machine's present boot.
    """

    __slots__ = ("_boot", "_data_dir")

    def __init__(self, data_dir: str = DATA_DIR, boot: Boot | None = None) -> None:
        self._data_dir = data_dir
        self._boot = boot or Boot()

    def _store(self, conf: NetConf, log: Logger) -> Store:
        """Return the network's store. All that DEL and GC need of the configuration is where it is."""
        if conf.ipam is None:
            raise invalid_config("IPAM config missing 'ipam' key", 'the configuration has no "ipam" with a "type"')
        # The network's name was found to be safe as the name of a folder when the configuration was read.
        return Store(os.path.join(conf.ipam.string("dataDir") or self._data_dir, conf.name), self._boot, log)

    def validate(self, request: Request, conf: NetConf) -> None:
        """Find out what can be known to be wrong before ADD changes anything."""
        prepare(request, conf)

    def add(self, request: Request, conf: NetConf, log: Logger) -> Result:
        """Take one address from each range set; return them with gateways, routes and DNS settings.

        On an error no address is held, beyond those that the attachment had before.
        """
        return add(request, conf, self._store(conf, log), log)

    def delete(self, request: Request, conf: NetConf, log: Logger) -> None:
        """Release all addresses of the attachment, whatever the ranges are by now. None is no error."""
        if conf.ipam is None or not conf.name:  # ADD refuses such a configuration, so there is no store of it
            return
        release_attachment(request, self._store(conf, log))

    def check(self, request: Request, conf: NetConf, log: Logger) -> None:
        """Verify that the attachment holds an address, and each of its prevResult that is in our ranges."""
        check(request, conf, self._store(conf, log))

    def gc(self, request: Request, conf: NetConf, log: Logger) -> None:
        """Release the addresses of all attachments of this network that are not valid."""
        collect_garbage(conf, self._store(conf, log), log)

    def status(self, request: Request, conf: NetConf, log: Logger) -> None:
        """Say whether ADD could work: the configuration is good, the store can be used, no range set is full."""
        status(request, conf, self._store(conf, log))
