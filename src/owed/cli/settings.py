"""`owed settings`: what a merchant has decided for one mode, shown and changed."""

import os
from typing import Annotated, Any, NamedTuple

import msgspec
import typer

from owed.api.body import BadJson, decode
from owed.api.fields import Faults
from owed.api.settings import UPDATE, settings_members
from owed.cli import tenants
from owed.cli.commanding import actor, carry_out, done, is_words
from owed.cli.errors import wrong
from owed.cli.history import print_attributions
from owed.cli.nouns import readable
from owed.cli.options import DatabaseUrl, DataDir, Json, settings_from
from owed.cli.output import print_json, print_sheet
from owed.cli.tenants import Merchant, ModeOption, Tenant, read
from owed.core.outcomes import Code, Fault, Outcome, Refused
from owed.core.update import Update
from owed.model.tenant_settings import SettingsRecord
from owed.settings import SettingsError
from owed.store.history import Attribution, attributions

EXAMPLE = '{"min_amount": 100, "max_amount": 1000000, "underpayment_allowed": true, "overpayment_allowed": false}'

app = typer.Typer(help="What a merchant has decided for one mode.", no_args_is_help=True)

TimeZone = Annotated[str | None, typer.Option(help="Where the merchant's days begin and end, as an IANA name.")]
RequireKey = Annotated[
    bool | None,
    typer.Option(
        "--require-idempotency-key/--no-require-idempotency-key", help="Whether every POST needs an Idempotency-Key."
    ),
]
CustomerRules = Annotated[
    str | None, typer.Option(metavar="JSON", help=f"The payment rules of new customers, such as '{EXAMPLE}'.")
]
AccountRules = Annotated[str | None, typer.Option(metavar="JSON", help="The payment rules of new accounts.")]
BillRules = Annotated[
    str | None,
    typer.Option(metavar="JSON", help="The payment rules of new bills; a max_amount is not needed."),
]
ReduceBalance = Annotated[
    bool | None,
    typer.Option(
        "--payments-reduce-balance/--no-payments-reduce-balance",
        help="Whether what is paid to a balance lowers it; not where the merchant's own system sends the new one.",
    ),
]
DuplicateMinutes = Annotated[
    int | None,
    typer.Option(help="For how long after a payment one that looks the same is a possible duplicate; 0 is never."),
]
Reason = Annotated[str | None, typer.Option(help="Why, to be recorded with your login name.")]


class Standing(NamedTuple):
    """The settings as they stand, and who changed them last."""

    record: SettingsRecord
    attributions: list[Attribution]


@app.command()
def show(
    *,
    merchant: Merchant = None,
    mode: ModeOption,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Show the settings, and who changed them last. Minor units are those of whatever currency an object has."""
    place = settings_from(data_dir=data_dir, database_url=database_url)
    print_standing(tenants.run(place, merchant, mode, standing), as_json=as_json)


@app.command("set")
def change(
    *,
    time_zone: TimeZone = None,
    require_idempotency_key: RequireKey = None,
    customer_rules: CustomerRules = None,
    account_rules: AccountRules = None,
    bill_rules: BillRules = None,
    payments_reduce_balance: ReduceBalance = None,
    duplicate_minutes: DuplicateMinutes = None,
    reason: Reason = None,
    merchant: Merchant = None,
    mode: ModeOption,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Change the given settings, in force within a second, and show them all. Existing objects keep their rules."""
    given = {
        "time_zone": time_zone,
        "require_idempotency_key": require_idempotency_key,
        "payments_reduce_balance": payments_reduce_balance,
        "duplicate_minutes": duplicate_minutes,
    }
    rules = {"customer": customer_rules, "account": account_rules, "bill": bill_rules}
    if all(value is None for value in (*given.values(), *rules.values())):
        raise SettingsError("there is nothing to change: give an option, such as --time-zone Africa/Johannesburg")

    async def work(tenant: Tenant) -> Standing:
        refuse_undone(await carry_out(tenant, command(tenant, given, rules, reason)))
        return await standing(tenant)

    place = settings_from(data_dir=data_dir, database_url=database_url)
    print_standing(tenants.run(place, merchant, mode, work), as_json=as_json)


async def standing(tenant: Tenant) -> Standing:
    """Read the settings as they stand."""
    record = await tenant.settings()
    words = await read(
        tenant.pool, lambda connection: attributions(connection, tenant.id, record.id, [record.updated_at])
    )
    return Standing(record, words)


def command(tenant: Tenant, given: dict[str, Any], rules: dict[str, str | None], reason: str | None) -> Update:
    """Make the command that a PATCH with these members would be."""
    faults = Faults()
    body = {**given, "payment_rules": {kind: rules_of(kind, text, faults) for kind, text in rules.items()}}
    if reason is not None and not is_words(reason):
        faults.note("/reason", "This must be 1 to 255 printable characters.")
    return Update(
        tenant_id=tenant.id,
        actor=actor(reason),
        name=SettingsRecord.id,
        members=settings_members(UPDATE.check_members(body, "", faults)),
        faults=tuple(faults.found),
    )


def rules_of(kind: str, text: str | None, faults: Faults) -> Any:
    """Read the JSON of payment rules; None where there is none."""
    if text is None:
        return None
    try:
        value = decode(os.fsencode(text))
    except BadJson:
        value = None
    if type(value) is not dict:
        faults.note(f"/payment_rules/{kind}", f"This must be a JSON object, such as {EXAMPLE}.")
        return None
    return value


def refuse_undone(outcome: Outcome) -> None:
    """Raise where a command was not carried out."""
    if isinstance(outcome, Refused) and outcome.code == Code.INVALID_REQUEST:
        raise wrong(Fault(option_of(fault.pointer), fault.detail) for fault in outcome.faults)
    done(outcome)


def option_of(pointer: str) -> str:
    """Name the option, and the place in its value, that a fault is about."""
    name, _, place = pointer.removeprefix("/").partition("/")
    if name != "payment_rules":
        return f"--{name.replace('_', '-')}"
    kind, _, member = place.partition("/")
    return f"--{kind}-rules, {member}" if member else f"--{kind}-rules"


def print_standing(found: Standing, *, as_json: bool) -> None:
    """Print the settings, and who changed them last."""
    record = found.record
    members = {**record.shown(), "version": record.version, "updated_at": record.updated_at}
    if as_json:
        print_json({**members, "attributions": found.attributions})
    else:
        rules = readable(msgspec.to_builtins(record.settings.payment_rules), currency=None)
        print_sheet({**members, "payment_rules": rules})
        print_attributions(found.attributions, heading="Last changed by")
