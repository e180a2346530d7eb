"""`plumbline report`: everything of this node that an issue needs, in one archive."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable
from functools import partial

import click
from rich.console import Console

from plumbline import output
from plumbline.errors import Status, VerbError
from plumbline.node import details
from plumbline.node.look import look
from plumbline.node.model import Node
from plumbline.node.roots import Roots
from plumbline.report.archive import Archive
from plumbline.report.contents import fill
from plumbline.verbs import show, tree


@click.command()
@click.option("-o", "path", metavar="FILE", help="Where to write it, - for standard output; else in this folder.")
def report(path: str | None) -> None:
    """Write a tar.gz of everything for an issue: what the verbs say, records, configurations, sysfs, logs, versions.

    No environment and no kubeconfig goes into it, and what looks like a password or a token is taken out. Read it
    before you publish it.
    """
    roots = Roots()
    node = look(roots)
    name = f"plumbline-report-{node.name}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    data = collected(name, node, roots).packed()
    if path == "-":
        sys.stdout.buffer.write(data)
        return
    path = path or f"{name}.tar.gz"
    _write(path, data)
    click.echo(f"{path}: {len(data) >> 10} KiB. It names pods and addresses: read it before you publish it.")


def collected(name: str, node: Node, roots: Roots) -> Archive:
    """Return everything, in a folder of that name: what is read, and what a person is shown of it."""
    archive = Archive(name)
    fill(archive, node, roots)
    archive.text("tree.txt", _drawn(lambda console: tree.draw(console, node, every=True)))

    def devices() -> None:
        for found in details.in_use(node, roots):
            archive.text(f"show/{found.name}.txt", _drawn(partial(show.draw, found=found)))

    archive.attempt("show", devices)
    return archive


def _drawn(draw: Callable[[Console], None]) -> str:
    stream = io.StringIO()
    draw(output.console(stream))
    return stream.getvalue()


def _write(path: str, data: bytes) -> None:
    """Write a new file that nobody else may read. Raises VerbError."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as e:
        message = f"{path} is there already, and was left as it is"
        raise VerbError(Status.FAILURE, message, "-o FILE names another") from e
    except OSError as e:
        raise VerbError(Status.FAILURE, f"cannot write the report to {path}: {e.strerror}", "-o FILE") from e
    try:
        with open(fd, "wb") as file:
            file.write(data)
    except OSError as e:
        os.unlink(path)
        raise VerbError(Status.FAILURE, f"cannot write the report to {path}: {e.strerror}; it was removed") from e
