"""`owed keys`."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from owed.cli.commanding import actor
from owed.cli.errors import Refused
from owed.cli.options import DatabaseUrl, DataDir, Json, settings_from
from owed.cli.output import print_json, print_table
from owed.cli.session import run
from owed.database.pool import Connection
from owed.model.access import KeyRecord, KeyType, Mode
from owed.settings import SettingsError
from owed.store import keys

app = typer.Typer(help="The keys that merchants call the API with.", no_args_is_help=True)

Merchant = Annotated[str, typer.Option(help="The merchant's id.")]
OfMerchant = Annotated[str | None, typer.Option("--merchant", help="Only this merchant's keys.")]
ModeOption = Annotated[Mode, typer.Option(help="Whether the key opens test or live data.")]
TypeOption = Annotated[KeyType, typer.Option("--type", help="What the key may do.")]
Name = Annotated[str | None, typer.Option(help="What the key is for.")]
ExpiresAt = Annotated[str | None, typer.Option(help="When it stops working, such as 2030-12-31T23:59:59Z.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `owed keys list` shows it.")]


@app.command()
def create(
    *,
    merchant: Merchant,
    mode: ModeOption,
    kind: TypeOption,
    name: Name = None,
    expires_at: ExpiresAt = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Create a key and print it; it is never shown again."""
    expiry = _moment(expires_at) if expires_at else None

    async def work(connection: Connection) -> tuple[str, str] | None:
        return await keys.create_key(connection, merchant, mode, kind, actor(), name=name, expires_at=expiry)

    created = run(settings_from(data_dir=data_dir, database_url=database_url), work)
    if created is None:
        raise Refused(f"there is no merchant {merchant}")
    key_id, key = created
    if as_json:
        about = {"merchant_id": merchant, "mode": mode, "type": kind, "name": name, "expires_at": expiry}
        print_json({"id": key_id, "key": key, **about})
    else:
        typer.echo(f"Created {key_id}. The key, which is never shown again:\n  {key}")


@app.command("list")
def list_all(
    *, merchant: OfMerchant = None, data_dir: DataDir = None, database_url: DatabaseUrl = None, as_json: Json = False
) -> None:
    """List the keys, oldest first: all that is known of them but the keys."""

    async def work(connection: Connection) -> list[KeyRecord]:
        return await keys.list_keys(connection, merchant)

    found = run(settings_from(data_dir=data_dir, database_url=database_url), work)
    if as_json:
        print_json(found)
    else:
        print_table(found, empty="No key yet: `owed keys create` makes one.")


@app.command()
def revoke(key_id: KeyId, *, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Revoke a key for good; every worker refuses it within a second."""
    settings = settings_from(data_dir=data_dir, database_url=database_url)
    if not run(settings, lambda connection: keys.revoke_key(connection, key_id, actor())):
        raise Refused(f"there is no key {key_id}")
    typer.echo(f"Revoked {key_id}.")


def _moment(text: str) -> datetime:
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise SettingsError(f"--expires-at is {text!r}: expected a time such as 2030-12-31T23:59:59Z")
    return moment.astimezone(UTC)
