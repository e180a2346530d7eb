"""The device-info file of an attachment: published by ADD if the runtime asks for it, swept by DEL."""

from __future__ import annotations

import os

from cni.attach import deviceinfo
from cni.linux.log import Logger
from cni.protocol.config import NetConf
from cni.protocol.errors import CniError

_MEMBER = "CNIDeviceInfoFile"


def is_wanted(conf: NetConf) -> bool:
    """Return whether the runtime asks for device information, be it not in the right way."""
    return conf.runtime_config.get(_MEMBER) not in (None, "")


def publish(conf: NetConf, device: str, sysfs_root: str, log: Logger) -> None:
    """Complete or write the device-info file that `runtimeConfig` names, if it does. device: its folder in sysfs.

    Never raises: the device works without.
    """
    path = conf.runtime_config.get(_MEMBER)
    if path is not None and not isinstance(path, str):
        log.warning(f"runtimeConfig.{_MEMBER} is no string: device information is not published")
    elif path:
        try:
            kind, fields = deviceinfo.describe(os.path.realpath(device), sysfs_root)
        except CniError as e:
            log.warning(f"device information is not published: {e}")
            return
        deviceinfo.publish(path, kind, fields, log)


def sweep(conf: NetConf, log: Logger) -> None:
    """Remove what an ADD that was killed left of the device-info file, which itself Multus removes. Never raises."""
    path = conf.runtime_config.get(_MEMBER)
    if isinstance(path, str) and path:
        deviceinfo.sweep(path, log)
