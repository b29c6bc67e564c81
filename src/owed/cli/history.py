"""What has happened to an object lately, and who did it, as people read it."""

import typer

from owed.cli.output import print_table
from owed.store.history import Attribution, History


def print_history(history: History) -> None:
    """Print what has happened, and who did it."""
    typer.echo("\nLatest events:")
    print_table(history.events, empty=" none")
    print_attributions(history.attributions)


def print_attributions(found: list[Attribution], heading: str = "Who did it, where the client said so") -> None:
    """Print who did it, where anybody said so."""
    if found:
        typer.echo(f"\n{heading}:")
        print_table(found, empty="")
