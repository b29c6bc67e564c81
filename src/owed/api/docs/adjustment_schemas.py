"""The schemas of charges and credits."""

from owed.api.adjustments import ACCOUNT_CHARGES, ACCOUNT_CREDITS, BILL_CREDITS, Adjusting
from owed.api.docs import story
from owed.api.docs.adjustments import asked, schema_of
from owed.api.docs.nouns import identifier
from owed.api.docs.payment_schemas import OBLIGATIONS, minor_units
from owed.api.docs.schema import moment, objects, page_of, taken
from owed.api.fields import Schema
from owed.model import identifiers

INTEGER: Schema = {"type": "integer"}

INSUFFICIENT: Schema = {
    "balance": {**INTEGER, "description": "Of `insufficient_credit`: the balance that stands; negative is a credit."},
    "floor": {**INTEGER, "description": "Of `insufficient_credit`: the credit that must be left."},
    "available": {**INTEGER, "minimum": 0, "description": "Of `insufficient_credit`: the most that could be charged."},
}
"""The further members of a charge that the credit does not cover."""

TAKEN_ADJUSTMENTS: Schema = {
    "charge_id": identifier(identifiers.CHARGE, "Of a `conflict`: the charge that has the reference."),
    "credit_id": identifier(identifiers.CREDIT, "Of a `conflict`: the credit that has the reference."),
    **{
        name: identifier(prefix, "Of a `conflict`: what the charge or credit that has the reference is on.")
        for name, prefix in (
            ("customer_id", identifiers.CUSTOMER), ("account_id", identifiers.ACCOUNT), ("bill_id", identifiers.BILL),
        )
    },
}  # fmt: skip
"""The further members of a reference that is taken."""


def schemas_of_adjustments() -> dict[str, Schema]:
    """Give the schemas of charges and credits, of pages of them, and of the requests for one."""
    found: dict[str, Schema] = {}
    for way in (ACCOUNT_CHARGES, ACCOUNT_CREDITS, BILL_CREDITS):
        title, example = schema_of(way), story.shown(story.standing(way.kind, named(way)))
        found[title] = {**shown(way), "examples": [example]}
        found[f"{title}Page"] = page_of(title, example)
        found[f"New{title}"] = {**taken(way.form), "examples": [asked(way)]}
    return found


def named(way: Adjusting) -> str:
    """Name the one of the examples."""
    return story.ADJUSTED[way.kind, way.object_kind]


def shown(way: Adjusting) -> Schema:
    """Describe a charge or a credit as it goes out."""
    is_of_bill = way.object_kind == "bill"
    prefix = identifiers.CHARGE if way.kind == "charge" else identifiers.CREDIT
    on = ("bill_id",) if is_of_bill else ("customer_id", "account_id")
    total = {"total_after": "What was owed on the bill after it; negative where it was overpaid."}
    balance = {"balance_after": "The balance after it; negative is a credit."}
    ((after, said),) = (total if is_of_bill else balance).items()
    form = way.form.members
    always: Schema = {
        "id": identifier(prefix, f"The {way.kind}'s id."),
        **({"type": form["type"].schema} if is_of_bill else {}),
        "amount": minor_units(f"What was {way.kind}{'d' if way.kind == 'charge' else 'ed'}.", 1),
        "currency": form["currency"].schema,
        after: {**INTEGER, "description": said},
        "occurred_at": moment("When it happened."),
        "created_at": moment("When it was recorded here."),
    }
    optional = {
        name: form[name].schema for name in ("floor", "reason", "external_reference", "metadata") if name in form
    }
    return objects(
        {
            **always,
            **{name: OBLIGATIONS[name] for name in on},
            **optional,
            "reversed_at": moment("When it was undone; absent while it stands."),
        },
        (*always, *(on if is_of_bill else ())),
        f"A {way.kind}, on what is named by `{'` or `'.join(on)}`.",
        **({} if is_of_bill else {"anyOf": [{"required": [name]} for name in on]}),
    )
