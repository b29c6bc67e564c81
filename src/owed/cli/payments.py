"""`owed payments`: to look payments up, with what was taken back of them. Whoever takes one uses the API."""

from typing import Annotated, Any, NamedTuple, cast

import msgspec
import typer

from owed.api.fields import Faults
from owed.api.filters import Given
from owed.api.lists import DEFAULT_LIMIT, MOST
from owed.api.payment_documents import PaymentDocuments
from owed.api.payments import KINDS, LIST
from owed.api.reallocations import ALLOCATIONS, MOVES
from owed.api.taken_back import REFUNDS, REVERSALS
from owed.cli import tenants
from owed.cli.amounts import Amount
from owed.cli.errors import Refused
from owed.cli.finding import filtered_by, find, find_newest, newest, references_of
from owed.cli.history import print_attributions
from owed.cli.nouns import Limit, NameArgument
from owed.cli.options import DatabaseUrl, DataDir, Json, settings_from
from owed.cli.output import print_json, print_rows, print_sheet
from owed.cli.tenants import Merchant, ModeOption, Tenant, read
from owed.core.state import Name
from owed.model import search
from owed.model.payment import Application, Payment, name_in_channel
from owed.model.payment_document import PaymentDocument
from owed.model.taken_back import TakenBack
from owed.store.history import Attribution, attributions
from owed.store.lists import Lists
from owed.store.lookups import Lookups

AMOUNTS = ("amount", "amount_refunded", "amount_reversed", "amount_unallocated")

Channel = Annotated[str | None, typer.Option(help="The one of this channel, where several have the reference.")]

app = typer.Typer(help="The payments of a merchant.", no_args_is_help=True)


class Whole(NamedTuple):
    """A payment with all that belongs to it.

    Attributes:
        reallocated: The allocations and moves of its money.
        references: The external references of what it paid, by id.
    """

    payment: Payment
    taken_back: list[TakenBack]
    reallocated: list[PaymentDocument]
    attributions: list[Attribution]
    references: dict[str, str]


@app.command("list", help="List payments, newest first. Where several filters are given, all hold.")
@filtered_by(LIST.filters)
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
    """List payments."""

    async def work(tenant: Tenant) -> tuple[list[Payment], bool, dict[str, str]]:
        found = await find_newest(tenant, LIST, filters, limit)
        payments = cast("list[Payment]", found.objects)
        return payments, found.are_more, {} if as_json else await paid_by(tenant, payments)

    place = settings_from(data_dir=data_dir, database_url=database_url)
    payments, are_more, references = tenants.run(place, merchant, mode, work)
    if as_json:
        print_json([payment.shown() for payment in payments])
    else:
        print_rows([row(payment, references) for payment in payments], empty=f"No payment found in {mode} mode.")
    if are_more:
        typer.echo(f"There are more than these {limit}: a larger --limit shows them.", err=True)


@app.command(help="Show one payment whole, with what it paid and what was taken back of it.")
def show(
    name: NameArgument,
    *,
    channel: Channel = None,
    merchant: Merchant = None,
    mode: ModeOption,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Show a payment."""
    place = settings_from(data_dir=data_dir, database_url=database_url)
    whole = tenants.run(place, merchant, mode, lambda tenant: find_whole(tenant, name, channel))
    payment = whole.payment
    if as_json:
        print_json(as_data(whole))
        return
    print_sheet(sheet(payment))
    typer.echo("\nWhat it paid:")
    print_rows([application_row(each, whole) for each in payment.applications], empty="Nothing.")
    if payment.rule_breaches:
        typer.echo("\nIt was received all the same, though:")
        print_rows([{"rule": each.rule, "why": each.detail} for each in payment.rule_breaches], empty="")
    if whole.taken_back:
        typer.echo("\nTaken back of it:")
        print_rows([taken_back_row(each) for each in whole.taken_back], empty="")
    if whole.reallocated:
        typer.echo("\nAllocated and moved since:")
        print_rows([reallocated_row(each) for each in whole.reallocated], empty="")
    print_attributions(whole.attributions)


async def find_whole(tenant: Tenant, name: str, channel: str | None) -> Whole:
    """Find a payment with all that belongs to it.

    Raises:
        Refused: There is none of this name.
    """
    found = cast("Payment", await find(tenant, Payment.kind, name))
    payment = found if channel is None or found.id == name else await in_channel(tenant, name, channel)
    taken_back = [each for way in (REFUNDS, REVERSALS) for each in await documents_of(tenant, way, payment)]
    reallocated = [each for way in (ALLOCATIONS, MOVES) for each in await documents_of(tenant, way, payment)]
    made: list[Payment | PaymentDocument] = [payment, *taken_back, *reallocated]
    who = [who for each in made for who in await done_by(tenant, each)]
    references = await paid_by(tenant, [payment])
    return Whole(payment, cast("list[TakenBack]", taken_back), reallocated, who, references)


async def in_channel(tenant: Tenant, reference: str, channel: str) -> Payment:
    """Find the payment that has a reference in a channel.

    Raises:
        Refused: There is none.
    """
    found: Payment | None = await Lookups(tenant.pool).find(
        Name(Payment.kind, tenant.id, name_in_channel(reference, channel))
    )
    if found is None:
        raise Refused(f"there is no payment {reference!r} in the channel {channel!r} in {tenant.mode} mode")
    return found


async def documents_of(tenant: Tenant, way: PaymentDocuments, payment: Payment) -> list[PaymentDocument]:
    """Find what changed a payment in one way, the newest first."""
    asked = way.list.query(tenant.id, (await tenant.settings()).settings, Given({}, {}, []), Faults())
    found = await newest(
        Lists(tenant.pool), msgspec.structs.replace(asked, terms=frozenset({search.owner_term(payment.id)})), MOST
    )
    return cast("list[PaymentDocument]", found.objects)


async def done_by(tenant: Tenant, item: Payment | PaymentDocument) -> list[Attribution]:
    """Tell who made a payment, or changed it, where they said so."""
    return await read(tenant.pool, lambda connection: attributions(connection, tenant.id, item.id, [item.created_at]))


async def paid_by(tenant: Tenant, payments: list[Payment]) -> dict[str, str]:
    """Give the external references of all that payments have paid, by id."""
    references: dict[str, str] = {}
    for kind in KINDS:
        paid = {each.object_id for payment in payments for each in payment.applications if each.kind == kind}
        references |= await references_of(tenant, kind, paid)
    return references


def row(payment: Payment, references: dict[str, str]) -> dict[str, Any]:
    """Give what a table shows of a payment."""
    return {
        "payment": payment.external_reference or payment.id,
        "channel": payment.channel,
        "status": payment.status,
        "amount": Amount(payment.amount, payment.currency),
        "held": Amount(payment.held, payment.currency),
        "paid_at": payment.paid_at,
        "paid": paid(payment, references),
    }


def paid(payment: Payment, references: dict[str, str]) -> str:
    """Say what a payment paid: the first thing, how many more there are, and whether anything is unallocated."""
    said = [f"{each.kind} {references[each.object_id]}" for each in payment.applications[:1]]
    said += [f"{others} more"] if (others := len(payment.applications) - 1) > 0 else []
    said += ["unallocated"] if payment.amount_unallocated else []
    return " and ".join(said) or "nothing"


def sheet(payment: Payment) -> dict[str, Any]:
    """Give what is known of a payment itself, as people read it."""
    members = {name: value for name, value in payment.shown().items() if name not in {"applications", "rule_breaches"}}
    amounts = {name: Amount(members[name], payment.currency) for name in AMOUNTS}
    return {**members, **amounts, "version": payment.version, "updated_at": payment.updated_at}


def application_row(application: Application, whole: Whole) -> dict[str, Any]:
    """Give what a table shows of an application."""
    currency = whole.payment.currency
    return {
        "id": application.id,
        "what": f"{application.kind} {whole.references[application.object_id]}",
        "amount": Amount(application.amount, currency),
        "held": Amount(application.held, currency),
    }


def taken_back_row(taken: TakenBack) -> dict[str, Any]:
    """Give what a table shows of a refund or a reversal."""
    return {
        "kind": taken.kind,
        "id": taken.id,
        "external_reference": taken.external_reference,
        "amount": Amount(taken.amount, taken.currency),
        "reason": taken.reason,
        "occurred_at": taken.occurred_at,
    }


def reallocated_row(document: PaymentDocument) -> dict[str, Any]:
    """Give what a table shows of an allocation or a move."""
    return {
        "kind": document.kind,
        "id": document.id,
        "external_reference": document.external_reference,
        "amount": Amount(document.amount, document.currency),
        "reason": document.reason,
        "created_at": document.created_at,
    }


def as_data(whole: Whole) -> dict[str, Any]:
    """Give a payment with all that belongs to it, as programs read it."""
    payment = whole.payment
    return {
        **payment.shown(),
        "refunds": [each.shown() for each in whole.taken_back if each.kind == REFUNDS.kind],
        "reversals": [each.shown() for each in whole.taken_back if each.kind == REVERSALS.kind],
        "allocations": [each.shown() for each in whole.reallocated if each.kind == ALLOCATIONS.kind],
        "moves": [each.shown() for each in whole.reallocated if each.kind == MOVES.kind],
        "version": payment.version,
        "updated_at": payment.updated_at,
        "attributions": whole.attributions,
    }
