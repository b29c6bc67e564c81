"""`owed customers`, `owed accounts` and `owed bills`: to look things up. Whoever changes them uses the API."""

from typing import Annotated, Any, NamedTuple

import msgspec
import typer

from owed.api import accounts, bills, customers
from owed.api.lists import DEFAULT_LIMIT, Listing
from owed.cli import tenants
from owed.cli.amounts import Amount
from owed.cli.finding import Found, filtered_by, find, find_newest, references_of
from owed.cli.history import print_history
from owed.cli.options import DatabaseUrl, DataDir, Json, settings_from
from owed.cli.output import print_json, print_rows, print_sheet
from owed.cli.tenants import Merchant, ModeOption, Tenant, read
from owed.model.billing_object import BillingObject
from owed.store.history import History, history_of

Limit = Annotated[int, typer.Option(min=1, help="How many at most, the newest first.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The id, or the external reference.")]


class Noun(NamedTuple):
    """What the commands need to know of a kind of object.

    Attributes:
        columns: The members that stand in a table.
    """

    listing: Listing
    columns: tuple[str, ...]

    @property
    def plural(self) -> str:
        """Name the objects."""
        return f"{self.listing.kind}s"


NOUNS = (
    Noun(customers.LIST, ("external_reference", "name", "email", "phone", "balance")),
    Noun(accounts.LIST, ("external_reference", "name", "balance", "customer")),
    Noun(
        bills.LIST,
        ("external_reference", "status", "bill_date", "due_date", "amount_due", "owed", "customer", "account"),
    ),
)


def commands(noun: Noun) -> typer.Typer:
    """Make the commands of a noun."""
    kind = noun.listing.kind
    app = typer.Typer(help=f"The {noun.plural} of a merchant.", no_args_is_help=True)

    @app.command("list", help=f"List {noun.plural}, newest first. Where several filters are given, all hold.")
    @filtered_by(noun.listing.filters)
    def list_all(
        *,
        limit: Limit = DEFAULT_LIMIT,
        merchant: Merchant = None,
        mode: ModeOption,
        data_dir: DataDir = None,
        database_url: DatabaseUrl = None,
        as_json: Json = False,
        **filters: Any,
    ) -> None:
        async def work(tenant: Tenant) -> tuple[Found, list[dict[str, Any]]]:
            found = await find_newest(tenant, noun.listing, filters, limit)
            return found, [] if as_json else await rows(tenant, noun, found.objects)

        place = settings_from(data_dir=data_dir, database_url=database_url)
        found, table = tenants.run(place, merchant, mode, work)
        if as_json:
            print_json([item.shown() for item in found.objects])
        else:
            print_rows(table, empty=f"No {kind} found in {mode} mode.")
        if found.are_more:
            typer.echo(f"There are more than these {limit}: a larger --limit shows them.", err=True)

    @app.command(help=f"Show one {kind} whole, with what has happened to it lately.")
    def show(
        name: NameArgument,
        *,
        merchant: Merchant = None,
        mode: ModeOption,
        data_dir: DataDir = None,
        database_url: DatabaseUrl = None,
        as_json: Json = False,
    ) -> None:
        async def work(tenant: Tenant) -> tuple[BillingObject, History]:
            found = await find(tenant, kind, name)
            return found, await read(tenant.pool, lambda connection: history_of(connection, tenant.id, found.id))

        place = settings_from(data_dir=data_dir, database_url=database_url)
        found, history = tenants.run(place, merchant, mode, work)
        if as_json:
            print_json({**found.shown(), **facts(found), **history._asdict()})
        else:
            print_sheet(sheet(found))
            print_history(history)

    return app


async def rows(tenant: Tenant, noun: Noun, items: list[BillingObject]) -> list[dict[str, Any]]:
    """Give what a table shows of objects."""
    references: dict[str, str] = {}
    for kind in noun.listing.filters.owners:
        references |= await references_of(tenant, kind, {getattr(item, f"{kind}_id") for item in items} - {None})
    return [row(item, noun, references) for item in items]


def row(item: BillingObject, noun: Noun, references: dict[str, str]) -> dict[str, Any]:
    """Give what a table shows of an object; what it belongs to is named by its reference."""
    members = readable(msgspec.to_builtins(item.members()), item.obligation.currency)
    members["owed"] = readable(owed_on(item), item.obligation.currency)
    members |= {kind: references.get(members[f"{kind}_id"]) for kind in noun.listing.filters.owners}
    return {name: members[name] for name in noun.columns}


def sheet(item: BillingObject) -> dict[str, Any]:
    """Give all that is known of an object, as people read it."""
    currency = item.obligation.currency
    owed = "not tracked" if (amount := owed_on(item)) is None else Amount(amount, currency)
    return {**readable(msgspec.to_builtins(item.shown()), currency), **facts(item), "owed": owed}


def facts(item: BillingObject) -> dict[str, Any]:
    """Give what is known of an object beside its members."""
    return {
        "owed": owed_on(item),
        "version": item.version,
        "created_at": item.created_at,
        "updated_at": item.updated_at,
    }


def owed_on(item: BillingObject) -> int | None:
    """Give what is owed on an object itself, in minor units; None where no balance is tracked."""
    balance = item.obligation.balance
    return None if balance is None else max(0, balance)


def readable(value: Any, currency: str | None) -> Any:
    """Give a JSON value as people read it: every integer of the API is an amount."""
    if isinstance(value, dict):
        return {name: readable(member, currency) for name, member in value.items()}
    return Amount(value, currency) if type(value) is int else value
