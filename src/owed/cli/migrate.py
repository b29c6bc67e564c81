"""`owed migrate`."""

import typer

from owed.cli import session
from owed.cli.options import DatabaseUrl, DataDir, Json, settings_from
from owed.cli.output import print_json
from owed.database import migrations


def migrate(*, data_dir: DataDir = None, database_url: DatabaseUrl = None, as_json: Json = False) -> None:
    """Bring the database's schema up to date."""
    with session.reachable(settings_from(data_dir=data_dir, database_url=database_url)) as dsn:
        applied = session.perform(dsn, session.migrate)
    if as_json:
        print_json({"applied": applied, "version": migrations.known()[-1].version})
    else:
        typer.echo("\n".join(f"applied {name}" for name in applied) or "The schema is up to date.")
