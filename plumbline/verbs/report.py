"""`plumbline report`: everything of this node that an issue needs, in one archive."""

from __future__ import annotations

import os
import sys
import time

import click

from plumbline.errors import Status, VerbError
from plumbline.node.look import look
from plumbline.node.roots import Roots
from plumbline.report.archive import Archive
from plumbline.report.contents import fill


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
    archive = Archive(name)
    fill(archive, node, roots)
    data = archive.packed()
    if path == "-":
        sys.stdout.buffer.write(data)
        return
    path = path or f"{name}.tar.gz"
    _write(path, data)
    click.echo(f"{path}: {len(data) >> 10} KiB. It names pods and addresses: read it before you publish it.")


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
