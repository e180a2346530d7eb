"""`plumbline network`: what a container runtime does with a network, by hand, as cnitool does it."""

from __future__ import annotations

import click

from plumbline.verbs.network.add import add
from plumbline.verbs.network.check import check
from plumbline.verbs.network.delete import delete
from plumbline.verbs.network.gc import collect_garbage
from plumbline.verbs.network.listing import show_all
from plumbline.verbs.network.status import status
from plumbline.verbs.options import Verbs


@click.group(cls=Verbs)
def network() -> None:
    """Attach pods to networks by hand, as a container runtime or cnitool does, and take them off again.

    NAME is that of a configuration in --conf-dir, NETNS the name of a network namespace (`ip netns`) or its path.
    Results are cached where libcni has them, so that a runtime or cnitool finishes what is begun here, and the other
    way round.
    """


for verb in (add, check, delete, status, collect_garbage, show_all):
    network.add_command(verb)
