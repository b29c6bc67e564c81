"""What the members of a customer may be (contract, sections 2 and 5)."""

from typing import Any

from owed.api.fields import Anything, Boolean, Field, Integer, Metadata, Object, OursToGive, Pattern, Text
from owed.core.metadata import MAX_KEYS
from owed.model.identifiers import CUSTOMER
from owed.model.money import MAX_TOTAL
from owed.model.payment_rules import MAX_RULE_AMOUNT, PaymentRules

LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL = rf"[A-Za-z0-9.!#$%&'*+/=?^_{{}}~`|-]{{1,64}}@{LABEL}(?:\.{LABEL})+"


def reference(prefix: str) -> Pattern:
    """Make the field of an external reference, which may not begin like an id of its kind."""
    return Pattern(
        rf"(?!{prefix})[a-zA-Z0-9_-]+",
        255,
        f"1 to 255 characters of A-Z, a-z, 0-9, _ and -, and must not begin with {prefix}, as ids do",
        "Your own reference, unique among your customers. It never changes.",
        "UCR1234567890",
    )


def misordered(rules: dict[str, Any]) -> tuple[str, str] | None:
    """Give the fault of rules whose least amount is over the greatest."""
    if rules["min_amount"] > rules["max_amount"]:
        return "max_amount", f"This must be at least min_amount, {rules['min_amount']}."
    return None


PAYMENT_RULES = Object(
    {
        "min_amount": Integer(1, MAX_RULE_AMOUNT, "The least that a payment may be, in minor units.", 100),
        "max_amount": Integer(1, MAX_RULE_AMOUNT, "The most that a payment may be, in minor units.", 1_000_000),
        "underpayment_allowed": Boolean("Whether a payment may be less than what is owed."),
        "overpayment_allowed": Boolean("Whether a payment may be more than what is owed."),
    },
    PaymentRules,
    "Which payments are taken. All four members go together, and are replaced together.",
    required=("min_amount", "max_amount", "underpayment_allowed", "overpayment_allowed"),
    rule=misordered,
)

METADATA = Metadata(MAX_KEYS)

MEMBERS: dict[str, Field] = {
    "name": Text(255, "The customer's full name or business name.", "John Doe"),
    "email": Pattern(
        EMAIL,
        255,
        "an e-mail address, such as john.doe@example.com",
        "The customer's e-mail address.",
        "john.doe@example.com",
    ),
    "phone": Pattern(
        r"\+[1-9][0-9]{1,14}",
        16,
        "a phone number in E.164 format, such as +27123456789",
        "The customer's phone number in E.164 format.",
        "+27123456789",
    ),
    "currency": Pattern(
        "[A-Z]{3}",
        3,
        "an ISO 4217 code in upper case, such as ZAR",
        "The currency of the balance, as an active ISO 4217 code. It cannot change once money uses it.",
        "ZAR",
    ),
    "balance": Integer(
        -MAX_TOTAL,
        MAX_TOTAL,
        "What the customer owes, in the currency's smallest unit; negative is a credit. Needs a currency. A new value "
        "replaces the old one.",
        2000,
    ),
    "payment_rules": PAYMENT_RULES,
    "metadata": METADATA,
}

NOT_GIVEN = OursToGive({"type": "null", "description": "We give it: leave it out, or send null."})

CREATE = Object(
    {"id": NOT_GIVEN, "external_reference": reference(CUSTOMER), **MEMBERS},
    dict,
    "A new customer.",
    required=("external_reference",),
)

FIXED: dict[str, Field] = {
    name: Anything({"type": "string", "description": "It never changes: leave it out, or send it as it stands."})
    for name in ("id", "external_reference")
}

UPDATE = Object({**FIXED, **MEMBERS}, dict, "The members to change.")

CLEARABLE = frozenset({"name", "email", "phone", "payment_rules"})
"""What null clears in a merge patch; in metadata it clears one key (contract, 1.1)."""
