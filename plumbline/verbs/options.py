"""Options that several verbs have."""

from __future__ import annotations

from collections.abc import Iterable

import click

LONGEST = 150
"""Of what is said of a verb where all are listed, in characters; it takes two lines of a narrow terminal."""


def write_verbs(formatter: click.HelpFormatter, title: str, verbs: Iterable[click.Command], width: int = 0) -> None:
    """List verbs in a help, with what each does. width: of their column, in characters, by itself what they need."""
    with formatter.section(title):
        formatter.write_dl([(f"{x.name:{width}}", x.get_short_help_str(LONGEST)) for x in verbs])


class Verbs(click.Group):
    """Verbs that have a word in common, as `network` has."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them, in the order in which they were added."""
        write_verbs(formatter, "Verbs", self.commands.values())


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, as docs/schema describes it.")
watch_option = click.option("--watch", is_flag=True, help="Print it again whenever something changes, until Ctrl-C.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
