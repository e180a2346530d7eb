"""A plugin as an executable: the engine, with our IPAM, behind the door."""

from __future__ import annotations

from cni import skel
from cni.attach.engine import Engine
from cni.attach.plugin import Plugin
from ipam.delegate import Delegate


def program(plugin: Plugin) -> skel.Program:
    """Return what `cni.skel.main` is to run."""
    engine = Engine(plugin, Delegate())
    commands = (engine.add, engine.check, engine.delete, engine.gc, engine.status)
    return skel.Program(plugin.name, plugin.about, *commands, has_debug=plugin.has_debug)
