"""The device that was allotted to a pod, where the runtime says it in two places."""

from __future__ import annotations

from cni.protocol.errors import invalid_config
from cni.protocol.section import shown


def refuse_two(field: str, value: str, device_id: str) -> None:
    """Raise CniError (code 7) when two members name different devices: one of them is what was allotted to the pod, and
    a network's definition may not choose another.

    field, value: the member at the top level. device_id: `runtimeConfig.deviceID`. An empty one names nothing.
    """
    if value and device_id and value.lower() != device_id.lower():
        raise invalid_config(
            f"{field} {shown(value)} and runtimeConfig.deviceID {shown(device_id)} are different devices",
            "the device that was allotted to the pod stands in one of them; nothing was changed",
        )
