"""Forms: what the members of objects may be, where several kinds of object have them (contract, sections 1 to 5)."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from msgspec import UNSET

from owed.api.composites import Object
from owed.api.fields import Anything, Boolean, Faults, Field, Integer, Metadata, Moment, OnlyNull, Pattern, json_type
from owed.core.members import Members
from owed.core.metadata import MAX_KEYS
from owed.core.state import NAME
from owed.model.billing_object import BillingObject
from owed.model.money import MAX_TOTAL
from owed.model.payment_rules import MAX_RULE_AMOUNT, BillRules, PaymentRules

Noun = TypeVar("Noun", bound=BillingObject)


def reference(kind: str, reserved: str, example: str) -> Pattern:
    """Make the field of an external reference, which may not begin like an id."""
    return Pattern(
        rf"(?!{reserved})[a-zA-Z0-9_-]+",
        255,
        f"1 to 255 characters of A-Z, a-z, 0-9, _ and -, and must not begin with {reserved}, as ids do",
        f"Your own reference, unique among your {kind}s. It never changes.",
        example,
    )


def balance(kind: str) -> Integer:
    """Make the field of a balance."""
    return Integer(
        -MAX_TOTAL,
        MAX_TOTAL,
        f"What is owed on the {kind}, in the currency's smallest unit; negative is a credit. Needs a currency. A new "
        "value replaces the old one.",
        2000,
    )


def balance_as_of() -> Moment:
    """Make the field of the time that a balance is of."""
    return Moment(
        "The time that `balance` is of. What has been recorded since, such as payments, is applied on top of it, and "
        "the header `Owed-Balance-Reapplied` says how many entries that were.",
        "2026-01-31T03:00:00Z",
    )


def currency(description: str) -> Pattern:
    """Make the field of a currency."""
    return Pattern("[A-Z]{3}", 3, "an ISO 4217 code in upper case, such as ZAR", description, "ZAR")


def misordered(rules: dict[str, Any]) -> tuple[str, str] | None:
    """Give the fault of rules whose least amount is over the greatest."""
    if rules["min_amount"] > rules.get("max_amount", MAX_RULE_AMOUNT):
        return "max_amount", f"This must be at least min_amount, {rules['min_amount']}."
    return None


RULES: Mapping[str, Field] = {
    "min_amount": Integer(1, MAX_RULE_AMOUNT, "The least that a payment may be, in minor units.", 100),
    "max_amount": Integer(1, MAX_RULE_AMOUNT, "The most that a payment may be, in minor units.", 1_000_000),
    "underpayment_allowed": Boolean("Whether a payment may be less than what is owed."),
    "overpayment_allowed": Boolean("Whether a payment may be more than what is owed."),
}

PAYMENT_RULES = Object(
    RULES,
    PaymentRules,
    "Which payments are taken. All four members go together, and are replaced together.",
    required=tuple(RULES),
    rule=misordered,
)

BILL_RULES = Object(
    RULES,
    BillRules,
    "Which payments new bills take. All members go together. Without `max_amount` a bill's own amount is the most; a "
    "`min_amount` above a bill's amount becomes that amount.",
    required=tuple(name for name in RULES if name != "max_amount"),
    rule=misordered,
)

METADATA = Metadata(MAX_KEYS, "Keys and values of your own. A PATCH merges them with those that stand.")

LASTING_METADATA = Metadata(MAX_KEYS, "Keys and values of your own. They never change.")

MONEY = currency("The currency of the balance, as an active ISO 4217 code. It cannot change once money uses it.")


def ours(*names: str) -> dict[str, Field]:
    """Make the fields of members that a request to create may only send as null."""
    return dict.fromkeys(names, OnlyNull("This is ours to give: leave it out, or send null."))


def settled(*names: str) -> dict[str, Field]:
    """Make the fields of members that are given at creation for good, and may only be null in a PATCH."""
    return dict.fromkeys(names, OnlyNull("This was settled when the object was made: leave it out, or send null."))


def fixed(*names: str, json_type: str = "string") -> dict[str, Field]:
    """Make the fields of members that a PATCH may only send as they stand."""
    stands = Anything({"type": json_type, "description": "Leave it out, or send it as it stands."})
    return dict.fromkeys(names, stands)


class Parent(Generic[Noun]):
    """A member that names an object, or holds a new one.

    Args:
        form: What the members of a new one may be.
        members: Takes them.
    """

    def __init__(self, form: Object, members: type[Members[Noun]], description: str) -> None:
        self.schema = {
            "description": description,
            "oneOf": [{"type": "string", "pattern": f"^{NAME}$"}, form.schema],
        }
        self._named = Pattern(NAME, 255, "an id or an external reference", "", "")
        self._form = form
        self._members = members

    def check(self, value: Any, pointer: str, faults: Faults) -> Any:
        """Give the name, or the members that are right of the new object."""
        if type(value) is str:
            return self._named.check(value, pointer, faults)
        if type(value) is dict:
            return read_members(self._form, self._members, value, pointer, faults)
        return faults.note(pointer, f"This must be a string or an object, not {json_type(value)}.")


def usable(given: dict[str, Any]) -> dict[str, Any]:
    """Give the members that are right, without what is null in their metadata: there too it counts as not given."""
    right = {name: value for name, value in given.items() if value is not UNSET}
    if "metadata" in right:
        right["metadata"] = {key: text for key, text in right["metadata"].items() if text is not None}
    return right


def read_members(
    form: Object,
    members: type[Members[Noun]],
    value: Any,
    pointer: str,
    faults: Faults,
    clearable: frozenset[str] | None = None,
) -> Members[Noun]:
    """Read the members of an object that are right, and note every fault of the others.

    Args:
        clearable: Members for which null means to clear them, as in a merge patch. None: null counts as not given, in
            metadata too.
    """
    checked = form.check_members(value, pointer, faults, clearable)
    faulty = frozenset(name for name, member in checked.items() if member is UNSET)
    given = {name: member for name, member in checked.items() if name not in faulty}
    sent_back = {name: given.pop(name) for name in list(given) if isinstance(form.members[name], Anything)}
    if clearable is None:
        given = usable(given)
    return members(**given, sent_back=sent_back, faulty=faulty)
