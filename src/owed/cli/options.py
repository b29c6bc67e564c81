"""What the commands have in common: their options, and the settings that follow from them."""

import os
from pathlib import Path
from typing import Annotated

import typer

from owed.settings import PREFIX, Settings

DataDir = Annotated[Path | None, typer.Option(help="Where the PostgreSQL of our own keeps its data.")]
DatabaseUrl = Annotated[str | None, typer.Option(help="Use this PostgreSQL instead of one of our own.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def settings_from(**flags: object) -> Settings:
    """Return the settings of the environment, with the flags that were given above them."""
    given = {PREFIX + name.upper(): str(value) for name, value in flags.items() if value is not None}
    return Settings.from_environment({**os.environ, **given})
