"""The schemas of payments, and of what takes them back."""

from owed.api.docs import payments, story
from owed.api.docs.nouns import identifier
from owed.api.docs.schema import moment, objects, page_of, reference, taken
from owed.api.fields import Schema
from owed.api.payments import APPLICATION, MOST_APPLICATIONS, PAYMENT_FORM
from owed.api.taken_back import REFUNDS, REVERSALS, WANTED, TakingBack
from owed.core.receiving import NOT_FOUND
from owed.core.rules import Rule
from owed.model import identifiers
from owed.model.payment import MAX_PAYMENT, PaymentStatus
from owed.model.payment_rules import MAX_RULE_AMOUNT

OBLIGATIONS = {
    "bill_id": identifier(identifiers.BILL, "The bill, where it is one."),
    "account_id": identifier(identifiers.ACCOUNT, "The account, where it is one."),
    "customer_id": identifier(identifiers.CUSTOMER, "The customer, where it is one."),
}

ONE_OBLIGATION: Schema = {"anyOf": [{"required": [name]} for name in OBLIGATIONS]}

NEW_PAYMENT: Schema = {
    "anyOf": [{"required": [name]} for name in ("bill", "account", "customer", "applications", "received")]
}


POSSIBLE_DUPLICATE_OF = identifier(
    identifiers.PAYMENT, "The payment just before it that looks the same: as much, to the same, by the same channel."
)


def minor_units(description: str, least: int = 0, most: int = MAX_PAYMENT) -> Schema:
    """Describe an amount."""
    return {"type": "integer", "minimum": least, "maximum": most, "description": description}


def listed(items: Schema, description: str, least: int = 1) -> Schema:
    """Describe a list of one for each application of a payment."""
    most = {"maxItems": MOST_APPLICATIONS} if least else {}
    return {"type": "array", "items": items, "minItems": least, **most, "description": description}


RULES: Schema = {
    "type": "array",
    "items": {"type": "string", "enum": list(Rule)},
    "uniqueItems": True,
    "description": "Every rule that refuses it, in the order in which they are asked.",
}

WOULD_PASS = objects(
    {
        "min": minor_units("The least that would pass.", 1, MAX_RULE_AMOUNT),
        "max": minor_units("The most that would pass.", 1, MAX_RULE_AMOUNT),
    },
    ("min", "max"),
    "The amounts that would pass; absent where no range does.",
)

SETTLES = minor_units("Just what is owed, which would pass too, though it is outside of that range.", 1)

ONE_EXPLAINED = objects(
    {
        **OBLIGATIONS,
        "amount": minor_units("What is to go there.", 1),
        "allowed": {"type": "boolean", "description": "Whether this one passes."},
        "rules": RULES,
        "would_pass": WOULD_PASS,
        "settles": SETTLES,
    },
    ("amount", "allowed", "rules"),
    "What the payment rules say of one application.",
    **ONE_OBLIGATION,
)

OF_RULES: Schema = {
    "rules": RULES,
    "would_pass": WOULD_PASS,
    "settles": SETTLES,
    "applications": listed(
        ONE_EXPLAINED,
        "Where there are several: the same of each. What would pass, above, is of the first that is refused.",
    ),
}
"""What explains a payment, whether it passes or not."""

EXPLAINED: Schema = {
    "rule": {
        "type": "string",
        "enum": list(Rule),
        "description": "Of `payment_refused`: the first rule that refuses the payment.",
    },
    **OF_RULES,
}
"""The further members of a payment that is refused."""

TAKEN: Schema = {
    "payment_id": identifier(
        identifiers.PAYMENT, "Of a `conflict`: the payment that has the reference, or what has it."
    ),
    "refund_id": identifier(identifiers.REFUND, "Of a `conflict`: the refund that has the reference."),
    "reversal_id": identifier(identifiers.REVERSAL, "Of a `conflict`: the reversal that has the reference."),
    "allocation_id": identifier(identifiers.ALLOCATION, "Of a `conflict`: the allocation that has the reference."),
    "move_id": identifier(identifiers.MOVE, "Of a `conflict`: the move that has the reference."),
    "fits": minor_units("Of a `conflict`: how much of unallocated or moved money would fit."),
}
"""The further members of a reference that is taken."""


def application(description: str, **further: Schema) -> Schema:
    """Describe what of a payment went to one obligation, or what was taken back of it."""
    return objects(
        {
            "id": identifier(identifiers.APPLICATION, "The application's id."),
            "amount": minor_units("In minor units.", 1),
            **OBLIGATIONS,
            **further,
        },
        ("id", "amount"),
        description,
        **ONE_OBLIGATION,
    )


def schemas_of_payments() -> dict[str, Schema]:
    """Give the schemas of payments, and of what takes them back."""
    example = story.shown(story.standing("payment", story.TWO_BILLS))
    one, several = payments.ONE_BILL, payments.WHAT_IS_LEFT
    return {
        "Payment": {**shown_payment(), "examples": [example]},
        "PaymentPage": page_of("Payment", example),
        "NewPayment": {**taken(PAYMENT_FORM), **NEW_PAYMENT, "examples": [one, several]},
        "PaymentToCheck": {**taken(PAYMENT_FORM), **NEW_PAYMENT, "examples": [*payments.CHECKED]},
        "NewApplication": taken(APPLICATION),
        "PaymentCheck": {**checked(), "examples": [story.checked(each) for each in payments.CHECKED]},
        **schemas_of(REFUNDS, payments.GIVEN_BACK, story.REFUND),
        **schemas_of(REVERSALS, payments.CHARGED_BACK, story.REVERSAL),
        "WantedBack": taken(WANTED),
    }


def shown_payment() -> Schema:
    """Describe a payment as it goes out."""
    optional = ("external_reference", "channel", "method", "provider_reference", "metadata")
    always: Schema = {
        "id": identifier(identifiers.PAYMENT, "The payment's id."),
        "status": {
            "type": "string",
            "enum": list(PaymentStatus),
            "description": "How it stands: by what took of it back last, and whether it still holds anything.",
        },
        "amount": minor_units("What came in.", 1),
        "amount_refunded": minor_units("What of it was given back."),
        "amount_reversed": minor_units("What of it never was good."),
        "amount_unallocated": minor_units("What of it is applied to nothing."),
        "currency": PAYMENT_FORM.members["currency"].schema,
    }
    applications = listed(
        application(
            "What of the payment went to one obligation.",
            amount_taken_back=minor_units("What refunds, reversals and moves took of it since, if anything.", 1),
            allocation_id=identifier(identifiers.ALLOCATION, "The allocation that applied it, where one did."),
            move_id=identifier(identifiers.MOVE, "The move that applied it, where one did."),
        ),
        "What it paid, in order; none where all of it is unallocated. Allocations and moves add to them.",
        least=0,
    )
    received = {
        "unallocated_customer_id": identifier(identifiers.CUSTOMER, "Whose the unallocated money is."),
        "received": {"const": True, "description": "The money was in the bank already, so that no rule refused it."},
        "rule_breaches": {
            "type": "array",
            "items": breach(),
            "description": "Of received money: all that it would have been refused for.",
        },
    }
    times = {"paid_at": moment("When the payer paid."), "created_at": moment("When it was recorded here.")}
    return objects(
        {
            **always,
            **OBLIGATIONS,
            "applications": applications,
            "possible_duplicate_of": POSSIBLE_DUPLICATE_OF,
            **received,
            **{name: PAYMENT_FORM.members[name].schema for name in optional},
            **times,
        },
        (*always, "applications", *times),
        "Money that came in. Where it went to one obligation, that is named at the top too.",
    )


def breach() -> Schema:
    """Describe what received money would have been refused for."""
    named = {kind: PAYMENT_FORM.members[kind].schema for kind in ("bill", "account", "customer")}
    return objects(
        {
            "rule": {"type": "string", "enum": [*Rule, NOT_FOUND], "description": "The rule, or `not_found`."},
            "detail": {"type": "string", "description": "What was wrong, and what would have been right."},
            **OBLIGATIONS,
            **{name: {**schema, "description": f"What does not exist: the {name}."} for name, schema in named.items()},
            "amount": minor_units("What was to go there."),
        },
        ("rule", "detail", "amount"),
        "One thing that a payment would have been refused for.",
    )


def checked() -> Schema:
    """Describe what a check of a payment says."""
    kinds = [reference("schemas", title) for title in ("Customer", "Account", "Bill")]
    return objects(
        {
            "allowed": {"type": "boolean", "description": "Whether the payment would be taken."},
            **OF_RULES,
            "possible_duplicate_of": POSSIBLE_DUPLICATE_OF,
            "amount_unallocated": minor_units("Of received money: what would be applied to nothing."),
            "rule_breaches": {
                "type": "array",
                "items": breach(),
                "description": "Of received money, which is always allowed: all that it would have been refused for.",
            },
            "after": listed(
                {"oneOf": kinds},
                "Each object that is named, as it would be after the payment; as it stands, where that is refused.",
                least=0,
            ),
        },
        ("allowed", "rules", "after"),
        "What would become of a payment.",
    )


def schemas_of(way: TakingBack, asked: Schema, named: str) -> dict[str, Schema]:
    """Give the schemas of what takes payments back in one way, of a page of them, and of a request for one."""
    title, example = way.kind.title(), story.shown(story.standing(way.kind, named))
    return {
        title: {**taken_back(way), "examples": [example]},
        f"{title}Page": page_of(title, example),
        f"New{title}": {**taken(way.form), "examples": [asked]},
    }


def taken_back(way: TakingBack) -> Schema:
    """Describe what took a payment back, as it goes out."""
    kind, optional = way.kind, ("reason", "external_reference", "metadata")
    prefix = identifiers.REFUND if kind == "refund" else identifiers.REVERSAL
    times = {"created_at": moment("When it was recorded here.")}
    if "occurred_at" in way.form.members:
        times = {"occurred_at": moment("When it happened."), **times}
    always: Schema = {
        "id": identifier(prefix, f"The {kind}'s id."),
        "payment_id": identifier(identifiers.PAYMENT, "The payment that was taken back, or a part of it."),
        "amount": minor_units("What was taken back.", 1),
        "currency": PAYMENT_FORM.members["currency"].schema,
        "applications": listed(
            application("What was taken back of one application."), "What was taken back of which application.", least=0
        ),
    }
    unallocated = {"amount_unallocated": minor_units("What was taken of unallocated money, if anything.", 1)}
    return objects(
        {**always, **unallocated, **{name: way.form.members[name].schema for name in optional}, **times},
        (*always, *way.form.required, *times),
        f"A {kind} of a payment.",
    )
