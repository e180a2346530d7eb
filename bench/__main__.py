"""`python -m bench table`, `profile`, `scale`, `hot`, `operator`, and `vfs`, which is for the lab."""

from __future__ import annotations

import click

from bench.hot import hot
from bench.operator import operator
from bench.profile import profile
from bench.scale import scale
from bench.table import table
from bench.vfs import vfs_command

click.Group("bench", commands=[table, profile, scale, hot, operator, vfs_command], help=__doc__)()
