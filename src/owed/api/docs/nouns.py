"""The nouns, as the documentation tells of them: what each is, and the requests of its examples."""

from typing import Any, NamedTuple

from owed.api import accounts, bills, customers
from owed.api.accounts import ACCOUNTS
from owed.api.bills import BILLS
from owed.api.books import Json, ObjectAsked
from owed.api.customers import CUSTOMERS
from owed.api.docs import story
from owed.api.fields import Choice, Schema
from owed.api.lists import Listing
from owed.api.resource import Resource
from owed.core.accounts import AccountMembers
from owed.core.bills import BillMembers
from owed.core.customers import CustomerMembers
from owed.core.members import Members
from owed.model.bill import MAX_AMOUNT, BillStatus
from owed.model.identifiers import ACCOUNT, BILL, CUSTOMER, pattern


class Noun(NamedTuple):
    """A kind of object.

    Attributes:
        description: What one is.
        ours: What the members may be that only we give.
        always: The members that an answer always has.
        creating: What else there is to know of creating one.
        updating: The same of updating one.
        new: Requests to create one.
        named: The external reference of the one that the examples retrieve and change.
        words: Some to search for.
        changes: A request to change it.
        merge_patch: The same as a merge patch.
    """

    resource: Resource[Any]
    members: type[Members[Any]]
    listing: Listing
    description: str
    ours: dict[str, Schema]
    always: tuple[str, ...]
    creating: str
    updating: str
    new: tuple[Json, ...]
    named: str
    words: str
    changes: Json
    merge_patch: Json

    @property
    def kind(self) -> str:
        """Name the kind as the API does."""
        return self.resource.kind

    @property
    def title(self) -> str:
        """Name its schema."""
        return self.kind.title()

    @property
    def plural(self) -> str:
        """Name the group of its operations."""
        return f"{self.title}s"

    @property
    def a(self) -> str:
        """Name it with its article."""
        return f"{'an' if self.kind[0] in 'aeiou' else 'a'} {self.kind}"

    def asked(self, given: Json, name: str = "") -> ObjectAsked:
        """Make the request that creates one, or that changes the one of that name."""
        form = self.resource.update_form if name else self.resource.create_form
        return ObjectAsked(form, self.members, given, name)


def identifier(prefix: str, description: str) -> Schema:
    """Describe an id."""
    return {"type": "string", "pattern": f"^{pattern(prefix).pattern}$", "description": description}


def amount(description: str) -> Schema:
    """Describe an amount of a bill."""
    return {"type": "integer", "minimum": 0, "maximum": MAX_AMOUNT, "description": description}


NEW_BALANCE = "A new `balance` replaces the old one, and the ledger records the difference."
BALANCE = "A `balance` needs a `currency`, and is recorded in the ledger as the opening balance. "
RULES = "Without `payment_rules` it gets those of the settings."

INLINE = (
    "What is new in the request comes to be together or not at all; the place of a fault tells the part, such as "
    "`/account/customer/email`. A reference in it that exists already is 409: nothing is changed in passing."
)

A_CUSTOMER = Noun(
    CUSTOMERS,
    CustomerMembers,
    customers.LIST,
    "A person or business that can have accounts and bills.",
    {"id": identifier(CUSTOMER, "The customer's id.")},
    ("id", "external_reference"),
    f"Only `external_reference` is required. {BALANCE}{RULES}",
    NEW_BALANCE,
    (
        {
            "external_reference": "meter-0042",
            "name": "Lerato Mokoena",
            "phone": "+27825550142",
            "currency": "ZAR",
            "balance": 45_000,
            "metadata": {"plan": "prepaid"},
        },
    ),
    story.JOHN,
    "john doe",
    {"name": "John M. Doe", "balance": 1500, "metadata": {"customer_type": "standard"}},
    {"phone": None, "metadata": {"registration_source": None}},
)

AN_ACCOUNT = Noun(
    ACCOUNTS,
    AccountMembers,
    accounts.LIST,
    "A sub-customer with a balance of its own: one for each service, policy or meter of a customer.",
    {
        "id": identifier(ACCOUNT, "The account's id."),
        "customer_id": identifier(CUSTOMER, "Whose account it is. It never changes."),
    },
    ("id", "external_reference", "customer_id"),
    f"`customer` names whose account it is, or is a whole new customer. {BALANCE}{RULES}\n\n{INLINE}",
    NEW_BALANCE,
    (
        {
            "external_reference": "ACC1234567890",
            "customer": story.JOHN,
            "name": "12 Acacia Avenue, electricity",
            "currency": "ZAR",
            "balance": 31_200,
        },
        {
            "external_reference": "ACC1234567891",
            "customer": {"external_reference": "UCR1234567891", "name": "Naledi Botha", "phone": "+27825550199"},
            "name": "4 Loop Street, electricity",
        },
    ),
    story.HIS_ACCOUNT,
    "acacia electricity",
    {"name": "Premium Subscription Account", "metadata": {"account_tier": "premium"}},
    {"name": None, "metadata": {"billing_cycle": None}},
)

A_BILL = Noun(
    BILLS,
    BillMembers,
    bills.LIST,
    "A one-off amount to collect, on a customer or on an account. It is an obligation of its own: to raise it, to "
    "pay it or to void it moves no balance.",
    {
        "id": identifier(BILL, "The bill's id."),
        "customer_id": identifier(CUSTOMER, "Whose bill it is. It never changes."),
        "account_id": identifier(ACCOUNT, "On which account; absent where it is on the customer. It never changes."),
        "status": Choice(tuple(BillStatus), "How the bill stands: `unpaid` until nothing remains.", "unpaid").schema,
        "amount_paid": amount("All that has been paid, here and elsewhere, and what was credited."),
        "amount_remaining": amount("What is still to be paid, never below 0. A void leaves it as it was."),
    },
    (
        "id",
        "external_reference",
        "customer_id",
        "status",
        "currency",
        "amount_due",
        "amount_paid",
        "amount_remaining",
        "bill_date",
    ),
    "`customer` or `account` says on what it is: an id, an external reference, or a whole new one. A new account "
    "has its `customer` inside, or beside it; an account that is named has its customer already. Without "
    f"`payment_rules` it gets those of the settings, with `amount_due` as the most.\n\n{INLINE}",
    "`amount_paid` is all that has been paid: what remains and the status follow, and the ledger records the "
    "difference. It may be above `amount_due` only where the rules say `overpayment_allowed`. The currency may "
    "change while nothing is paid. A voided bill cannot be changed any more: 409.",
    (
        {
            "external_reference": "INV1234567890",
            "customer": story.JOHN,
            "currency": "ZAR",
            "amount_due": 45_000,
            "bill_date": "2026-01-31",
            "due_date": "2026-02-28",
        },
        {
            "external_reference": "INV1234567891",
            "account": {
                "external_reference": "ACC1234567892",
                "name": "7 Beach Road, water",
                "customer": {"external_reference": "UCR1234567892", "name": "Pieter Adams"},
            },
            "currency": "ZAR",
            "amount_due": 12_950,
        },
    ),
    story.HIS_BILL,
    "inv 1002",
    {"amount_paid": 1500, "metadata": {"payment_method": "bank_transfer"}},
    {"due_date": None, "metadata": {"service_type": None}},
)

NOUNS = (A_CUSTOMER, AN_ACCOUNT, A_BILL)
"""In the order in which they are told of."""

VOIDING: Json = {"metadata": {"voided_reason": "sent twice"}}

SETTINGS: Json = {
    "time_zone": "Africa/Johannesburg",
    "payment_rules": {
        "bill": {"min_amount": 100, "underpayment_allowed": True, "overpayment_allowed": False},
    },
}
SETTINGS_PATCH: Json = {"require_idempotency_key": False}
