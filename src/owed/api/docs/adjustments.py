"""The operations of charges and credits, as the documentation tells of them."""

from owed.api.adjustments import WAYS, Adjusting
from owed.api.books import AdjustmentAsked, Json
from owed.api.docs import story
from owed.api.docs.operation import (
    ALWAYS,
    CHANGING,
    EVERY_LIST,
    MONEY_MOVER,
    PAGING,
    READER,
    REPLAYED,
    UNMODIFIED,
    VERSION,
    WRITER,
    Operation,
    Operations,
    Success,
)
from owed.api.messages import JSON
from owed.core.outcomes import Code

CONSUMED: Json = {"amount": 3000, "floor": 0, "reason": "0.8 kWh", "metadata": {"token": "8812-4471-0063"}}
GOODWILL: Json = {"amount": 500, "reason": "goodwill", "occurred_at": "2026-01-30T18:00:00Z"}
WRITTEN_OFF: Json = {"type": "write_off", "amount": 50, "reason": "not worth the stamp"}

ASKED = {("charge", "customer"): CONSUMED, ("charge", "account"): CONSUMED, ("credit", "bill"): WRITTEN_OFF}
"""Requests for some; one for the others."""

NAMED = {"customer": story.AMINA, "account": story.PREPAID, "bill": story.HER_BILL}
"""What is charged and credited in the examples."""

RAISES = (
    "Raises the balance by an amount, in one step with what stands at that moment: no two charges use up the same "
    "credit. With `floor`, one that would leave less credit is 422 `insufficient_credit`, which says what is "
    "`available`. The payment rules do not apply."
)

LOWERS = "Lowers the balance by an amount; nobody paid it. The payment rules do not apply."

RUNS = " Where no balance is tracked, its running total runs; `currency` is needed where there is none yet, else 409."

OF_BILLS = (
    "Takes off the bill what nobody has to pay any more. It counts in `amount_paid`, and each `type` has its own "
    "account in the ledger; a bill that it settles is paid. A `discount` or a `write_off` is at most what remains; a "
    "`credit_note` may be more and leave the bill overpaid, as far as all credits together are within `amount_due`. "
    "Beyond that, and on a voided bill, it is 409. The payment rules do not apply."
)

UNDOING = (
    "All of it is undone by a transfer of its own, and what was done stays on the record, with `reversed_at`. A second "
    "time it is 409. A body is not needed."
)


def asked(way: Adjusting) -> Json:
    """Give the request of the examples."""
    return ASKED.get((way.kind, way.object_kind), GOODWILL)


def answer(way: Adjusting) -> Json | None:
    """Give the answer to it; none where that depends on which other examples were sent before."""
    if asked(way) is GOODWILL:
        return None
    return story.outcome(AdjustmentAsked(way, NAMED[way.object_kind], asked(way)))


def described(way: Adjusting) -> str:
    """Say what one does."""
    if way.object_kind == "bill":
        return OF_BILLS
    return (RAISES if way.kind == "charge" else LOWERS) + RUNS


def schema_of(way: Adjusting) -> str:
    """Name the schema of what is made."""
    return "BillCredit" if way.object_kind == "bill" else way.kind.title()


def operations_of(way: Adjusting) -> Operations:
    """Tell of what may be done with the charges, or the credits, on one kind of object."""
    whole = f"{way.object_kind.title()}{way.kind.title()}"
    on = f"{'an' if way.object_kind == 'account' else 'a'} {way.object_kind}"
    path = f"/billing/{way.object_kind}s/{{{way.object_kind}}}/{way.kind}s"
    tag, schema, item = f"{way.kind.title()}s", schema_of(way), f"Adjusted{way.object_kind.title()}"
    standing = story.shown(story.standing(way.kind, story.ADJUSTED[way.kind, way.object_kind]))
    made = Success(
        f"The {way.kind} was recorded.",
        schema,
        ("Location", *VERSION),
        REPLAYED,
        example=answer(way),
        kind=way.kind,
        within=path,
    )
    refused = (*CHANGING, Code.INSUFFICIENT_CREDIT) if way.kind == "charge" else CHANGING
    return {
        (path, "GET"): Operation(
            f"list{whole}s",
            f"List the {way.kind}s on {on}",
            "Newest first, those that were reversed too. All filters hold at once.",
            tag,
            {200: Success(f"A page of {way.kind}s.", f"{schema}Page", (), PAGING)},
            (*ALWAYS, Code.NOT_FOUND),
            (item, f"{whole}sByExternalReference", *EVERY_LIST, *READER),
        ),
        (path, "POST"): Operation(
            f"create{whole}",
            f"{way.kind.title()} {on}",
            described(way),
            tag,
            {201: made},
            refused,
            (item, "IfMatch", *MONEY_MOVER),
            {JSON: f"New{schema}"},
        ),
        (f"{path}/{{{way.kind}}}", "GET"): Operation(
            f"retrieve{whole}",
            f"Retrieve a {way.kind} on {on}",
            f"By id or by external reference, under the {way.object_kind} that it is on.",
            tag,
            {200: Success(f"The {way.kind}.", schema, VERSION, example=standing), 304: UNMODIFIED},
            (*ALWAYS, Code.NOT_FOUND),
            (item, whole, "IfNoneMatch", *READER),
        ),
        (f"{path}/{{{way.kind}}}/reverse", "POST"): Operation(
            f"reverse{whole}",
            f"Reverse a {way.kind} on {on}",
            UNDOING,
            tag,
            {
                200: Success(
                    f"The {way.kind}, reversed.",
                    schema,
                    VERSION,
                    REPLAYED,
                    example={**standing, "reversed_at": standing["created_at"]},
                )
            },
            CHANGING,
            (item, whole, "IfMatch", *WRITER),
        ),
    }


ADJUSTMENTS: Operations = {route: told for way in WAYS for route, told in operations_of(way).items()}
