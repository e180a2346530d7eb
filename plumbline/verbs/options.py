"""Options that several verbs have."""

from __future__ import annotations

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, as docs/schema describes it.")
watch_option = click.option("--watch", is_flag=True, help="Print it again whenever something changes, until Ctrl-C.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
