"""The schemas of unallocated money, of allocations and of moves."""

from owed.api.docs import story
from owed.api.docs.nouns import identifier
from owed.api.docs.payment_schemas import application, listed, minor_units
from owed.api.docs.reallocations import APPLIED, TAKEN_ELSEWHERE, unallocated
from owed.api.docs.schema import moment, objects, page_of, taken
from owed.api.fields import Schema
from owed.api.payments import PAYMENT_FORM
from owed.api.reallocations import ALLOCATIONS, MOVES
from owed.model import identifiers
from owed.model.money import MAX_TOTAL

CURRENCY = PAYMENT_FORM.members["currency"].schema


def schemas_of_reallocations() -> dict[str, Schema]:
    """Give the schemas of unallocated money, of what applies and moves it, and of the requests for that."""
    found: dict[str, Schema] = {"Unallocated": {**shown_unallocated(), "examples": [unallocated()]}}
    for way, described, asked in ((ALLOCATIONS, allocation(), APPLIED), (MOVES, move(), TAKEN_ELSEWHERE)):
        title, example = way.kind.title(), story.shown(story.standing(way.kind, story.DOCUMENTS[way.kind]))
        found[title] = {**described, "examples": [example]}
        found[f"{title}Page"] = page_of(title, example)
        found[f"New{title}"] = {**taken(way.form), "examples": [asked]}
    return found


def document(prefix: str, parts: Schema, required: tuple[str, ...], description: str) -> Schema:
    """Describe what applies or moves money, as it goes out."""
    always: Schema = {
        "id": identifier(prefix, "Its id."),
        "payment_id": identifier(identifiers.PAYMENT, "The payment that it is of."),
        "amount": minor_units("How much, in minor units.", 1),
        "currency": CURRENCY,
    }
    optional = {name: ALLOCATIONS.form.members[name].schema for name in ("reason", "external_reference", "metadata")}
    created = {"created_at": moment("When it was recorded.")}
    return objects({**always, **parts, **optional, **created}, (*always, *required, *created), description)


def allocation() -> Schema:
    """Describe an allocation, as it goes out."""
    made = listed(application("What went to one obligation."), "The applications of the payment that it made.")
    parts = {"applications": made}
    return document(identifiers.ALLOCATION, parts, ("applications",), "Unallocated money that was applied.")


def move() -> Schema:
    """Describe a move, as it goes out."""
    parts = {
        "from": application("The application that held the money, and what was taken of it."),
        "to": application("The one that holds it now; absent where it is unallocated money."),
    }
    return document(identifiers.MOVE, parts, ("from",), "Money that was taken from one obligation to another.")


def shown_unallocated() -> Schema:
    """Describe what of a customer's payments is unallocated."""
    form = PAYMENT_FORM.members
    payment = objects(
        {
            "payment_id": identifier(identifiers.PAYMENT, "The payment."),
            "amount": minor_units("What of it is unallocated.", 1),
            "external_reference": form["external_reference"].schema,
            "channel": form["channel"].schema,
            "paid_at": moment("When the payer paid."),
        },
        ("payment_id", "amount", "paid_at"),
        "A payment of which something is applied to nothing.",
    )
    each = objects(
        {
            "currency": CURRENCY,
            "amount": minor_units("All that is unallocated in it.", 1, MAX_TOTAL),
            "payment_count": minor_units("How many payments that is of.", 1),
            "payments": listed(payment, "The newest of them."),
        },
        ("currency", "amount", "payment_count", "payments"),
        "What is unallocated in one currency.",
    )
    everything = {"type": "array", "items": each, "description": "One for each currency; none where there is nothing."}
    return objects({"data": everything}, ("data",), "What of a customer's payments is applied to nothing.")
