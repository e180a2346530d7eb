"""The device-info file: what Multus reports of a pod's device in the pod's network-status annotation.

k8snetworkplumbingwg device-info specification 1.1.0. One file per attachment, mode 0444, named by
runtimeConfig.CNIDeviceInfoFile; it holds a copy of what the device plugin knows, or is not there yet:

    {"type": "pci",               or vdpa; vhost-user and memif are not ours
     "version": "1.1.0",
     "pci": {                     a map that is called as the type is
        "pci-address": "0000:01:10.2",
        "pf-pci-address": "0000:01:00.0",
        "rdma-device": "mlx5_3",
        "representor-device": "enp1s0f0npf0vf2"}}       new in 1.1.0

    {"type": "vdpa", "version": "1.0.0",
     "vdpa": {"parent-device": "vdpa2", "driver": "vhost", "path": "/dev/vhost-vdpa0", ...}}    with all but rdma-device

Removing the file at DEL is up to Multus (section 4.2.1).
"""

from __future__ import annotations

import os

from cni.linux import eswitch, files, pci, vdpa
from cni.linux.log import Logger
from cni.protocol import jsontext
from cni.protocol.config import NetConf
from cni.protocol.errors import CniError
from cni.protocol.limits import DEVICE_INFO_FOLDERS, PATH_BYTES
from cni.protocol.section import refused, shown

FOLDER = "/var/run/k8s.cni.cncf.io/devinfo/cni"
"""Where the files are (section 4.2)."""

PCI = "pci"
VDPA = "vdpa"
REPRESENTOR = "representor-device"
_SHARED = ("pci-address", "pf-pci-address", REPRESENTOR)
"""What a PCI device and a vDPA device that is backed by one are both described with."""

_MEMBER = "CNIDeviceInfoFile"
_FILE_MODE = 0o444
_FOLDER_MODE = 0o755


def is_wanted(conf: NetConf) -> bool:
    """Return whether the runtime asks for device information, be it not in the right way."""
    return conf.runtime_config.get(_MEMBER) not in (None, "")


def publish_for(conf: NetConf, device: str, sysfs_root: str, log: Logger) -> None:
    """Complete or write the device-info file that `runtimeConfig` names, if it does. device: its folder in pci.

    Never raises: the device works without.
    """
    path = conf.runtime_config.get(_MEMBER)
    if path is not None and not isinstance(path, str):
        log.warning(f"runtimeConfig.{_MEMBER} is no string: device information is not published")
    elif path:
        try:
            kind, fields = describe(os.path.realpath(device), sysfs_root)
        except CniError as e:
            log.warning(f"device information is not published: {e}")
            return
        publish(path, kind, fields, log)


def sweep_for(conf: NetConf, log: Logger) -> None:
    """Remove what an ADD that was killed left of the device-info file, which itself Multus removes. Never raises."""
    path = conf.runtime_config.get(_MEMBER)
    if isinstance(path, str) and path:
        sweep(path, log)


def describe(device: str, sysfs_root: str = pci.ROOT) -> tuple[str, dict[str, str]]:
    """Return the kind of a device, PCI or VDPA, and the members of its map as far as known; none for a device that is
    on no PCI bus.

    device: its real folder in sysfs, of a PCI device or of the virtio device on one.
    """
    folder = device
    if os.path.basename(folder).startswith("virtio"):
        folder = os.path.dirname(folder)
        if not pci.is_address(os.path.basename(folder)):  # a vDPA device is in between
            folder = os.path.dirname(folder)
    address = os.path.basename(folder)
    if not pci.is_address(address):
        return PCI, {}
    pf = pci.physical_function(folder)
    index = pci.vf_index(pf, address) if pf else -1
    fields = {
        "pci-address": address,
        "pf-pci-address": os.path.basename(pf),
        REPRESENTOR: eswitch.representor(pf, index, sysfs_root) if index >= 0 else "",
    }
    found = vdpa.find(folder, sysfs_root)
    if found is None or not found.driver:
        return PCI, {**fields, "rdma-device": pci.rdma_device(folder)}
    return VDPA, {**fields, "parent-device": found.name, "driver": found.driver, "path": found.path}


def publish(path: str, kind: str, fields: dict[str, str], log: Logger, folder: str = FOLDER) -> None:
    """Complete the device-info file at `path`, or write it whole when there is none.

    path: runtimeConfig.CNIDeviceInfoFile; when it is empty nobody asked, and nothing happens. kind: PCI or VDPA.
    fields: the members of that kind's map as far as known; empty values count as unknown. Everything that the file
    holds stays, its type included, but for the representor: it may have got another name since the device plugin
    looked. In a file of the other type only those fields are added that both types have.
    A failure is logged as a warning and never raised: the device works without.
    """
    known = {key: value for key, value in fields.items() if value}
    if not path or not known:
        return
    try:
        target = _resolved(path, folder)
        held = _read(target, log)
        whole = _completed(held, kind, known, target, log)
        if whole != held:
            _ensure_folder(os.path.dirname(target))
            files.write_atomic(target, jsontext.dumps(whole).encode(), _FILE_MODE, durable=False)
            os.chmod(target, _FILE_MODE)  # whatever the umask is
    except (CniError, OSError) as e:
        log.warning(f"device information of {shown(known)} is not published: {e}")


def sweep(path: str, log: Logger, folder: str = FOLDER) -> None:
    """Remove what a `publish` to this path that was killed has left unfinished. Never raises, as `publish`."""
    if not path:
        return
    try:
        files.remove(files.temporary_path(_resolved(path, folder)))
    except (CniError, OSError) as e:
        log.warning(f"unfinished device information is not looked for: {e}")


def _resolved(path: str, folder: str) -> str:
    """Return the path without symbolic links, /var/run for one. Raises CniError (code 7) when it leaves the folder, and
    when it goes down too far: each folder that is missing would be made, and never removed.
    """
    # A NUL, which JSON may hold, is no OSError to realpath but a ValueError.
    sound = os.path.isabs(path) and ".." not in path.split("/") and "\0" not in path
    sound = sound and len(os.fsencode(path)) <= PATH_BYTES
    root = os.path.realpath(folder) + "/"
    resolved = os.path.realpath(path) if sound else ""
    if not resolved.startswith(root) or resolved.count("/") - root.count("/") > DEVICE_INFO_FOLDERS:
        wanted = f"an absolute path below {folder}, without .., at most {DEVICE_INFO_FOLDERS} folders down"
        raise refused(f"runtimeConfig.{_MEMBER}", path, f"{wanted}, {PATH_BYTES} bytes long at most")
    return resolved


def _read(path: str, log: Logger) -> dict[str, object]:
    """Return what the file holds, nothing when it is absent or garbage. Raises CniError (code 5)."""
    data = files.read(path)
    if data is None:
        return {}
    try:
        held = jsontext.loads(data.decode())
        if isinstance(held, dict):
            return held
        reason = "not a JSON object"
    except ValueError as e:
        reason = str(e)
    log.warning(f"device information in {path} is damaged and written anew: {reason}")
    return {}


def _completed(held: dict[str, object], kind: str, known: dict[str, str], path: str, log: Logger) -> dict[str, object]:
    """Return what the file shall hold, which equals `held` when there is nothing to add. Says what does not fit."""
    other = VDPA if kind == PCI else PCI
    actual = held.get("type") or (other if held.get(other) and not held.get(kind) else kind)
    if actual == other:
        known = {key: value for key, value in known.items() if key in _SHARED}
    elif actual != kind:
        log.warning(f"device information in {path} is left as it is: type {shown(actual)} is neither pci nor vdpa")
        return held
    described = held.get(actual)
    if described is None:
        described = {}
    elif not isinstance(described, dict):
        log.warning(f"device information in {path} is left as it is: {actual} is {shown(described)}, not an object")
        return held
    added = {key: value for key, value in known.items() if described.get(key) in (None, "")}
    for key, value in known.items():
        if key in added or described[key] == value:
            continue
        if key == REPRESENTOR:
            log.info(f"device information in {path} had {key} {shown(described[key])}, which is {value} by now")
            added[key] = value
        else:
            log.warning(f"device information in {path} keeps {key} {shown(described[key])}, though it is {value}")
    merged = {**described, **added}
    version = held.get("version")
    if not version:
        version = "1.1.0" if merged.get(REPRESENTOR) else "1.0.0"
    elif version == "1.0.0" and REPRESENTOR in added:
        version = "1.1.0"
    return {**held, "type": actual, "version": version, actual: merged}


def _ensure_folder(path: str) -> None:
    """Create the folder and its parents so that others may read, whatever the umask is. Raises CniError, OSError."""
    if not os.path.isdir(path):
        _ensure_folder(os.path.dirname(path))
        files.ensure_folder(path, _FOLDER_MODE)
        os.chmod(path, _FOLDER_MODE)
