"""The whole command line, and what becomes of its errors."""

import signal
import sys
from typing import Annotated

import typer

from owed import __version__
from owed.cli import (
    audit,
    events,
    keys,
    listen,
    merchants,
    migrate,
    nouns,
    payments,
    serve,
    settings,
    simulate,
    verify,
    worker,
)
from owed.cli.errors import Refused
from owed.database import DatabaseError
from owed.settings import SettingsError

app = typer.Typer(name="owed", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("listen")(listen.listen)
app.command("migrate")(migrate.migrate)
app.command("verify")(verify.verify)
app.command("simulate")(simulate.simulate)
app.command("audit")(audit.audit)
app.add_typer(merchants.app, name="merchants")
app.add_typer(keys.app, name="keys")
app.add_typer(settings.app, name="settings")
for noun in nouns.NOUNS:
    app.add_typer(nouns.commands(noun), name=noun.plural)
app.add_typer(payments.app, name="payments")
app.add_typer(events.app, name="events")


def _print_version(wanted: bool) -> None:  # noqa: FBT001  (typer calls it so)
    if wanted:
        typer.echo(f"owed {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version.")]


@app.callback()
def owed(*, version: Version = False) -> None:
    """Self-hosted billing. Every setting is also a variable: `--port` is `OWED_PORT`, and so on."""


def main() -> None:
    """Run a command. What its user can put right is one line and exit code 1, or 2 for a wrong setting."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup has SIGHUP ignored
            signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    try:
        app()
    except SettingsError as error:
        _fail(error, 2)
    except (DatabaseError, Refused) as error:
        _fail(error, 1)


def _fail(error: Exception, code: int) -> None:
    typer.echo(f"owed: {error}", err=True)
    raise SystemExit(code)
