"""`owed merchants`."""

from typing import Annotated

import typer

from owed.cli.commanding import actor
from owed.cli.options import DatabaseUrl, DataDir, Json, settings_from
from owed.cli.output import print_json, print_table
from owed.cli.session import run
from owed.store import merchants

app = typer.Typer(help="The businesses that Owed keeps the books of.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="What the merchant is called.")]


@app.command()
def create(name: Name, *, data_dir: DataDir = None, database_url: DatabaseUrl = None, as_json: Json = False) -> None:
    """Create a merchant and print its four keys, which are never shown again."""
    settings = settings_from(data_dir=data_dir, database_url=database_url)
    merchant = run(settings, lambda connection: merchants.create_merchant(connection, name, actor()))
    if as_json:
        print_json({"id": merchant.id, "name": merchant.name, "keys": merchant.keys})
    else:
        typer.echo(f"Created {merchant.id}. Its keys, which are never shown again:")
        print_keys(merchant)


@app.command("list")
def list_all(*, data_dir: DataDir = None, database_url: DatabaseUrl = None, as_json: Json = False) -> None:
    """List the merchants, oldest first."""
    found = run(settings_from(data_dir=data_dir, database_url=database_url), merchants.list_merchants)
    if as_json:
        print_json(found)
    else:
        print_table(found, empty="No merchant yet: `owed merchants create NAME` makes one.")


def print_keys(merchant: merchants.NewMerchant) -> None:
    """Print a new merchant's keys, one a line."""
    for kind, key in merchant.keys.items():
        typer.echo(f"  {kind:<8} {key}")
