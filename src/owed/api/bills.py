"""Bills over HTTP (contract, section 4)."""

from msgspec import UNSET

from owed.api import accounts, customers
from owed.api.commands import carry_out, read_form
from owed.api.composites import Object
from owed.api.fields import Choice, Date, Field, Integer
from owed.api.filters import IN_CURRENCY, Filters
from owed.api.forms import METADATA, PAYMENT_RULES, Parent, currency, fixed, ours, read_members, reference, settled
from owed.api.lists import Listing
from owed.api.messages import Request, Response
from owed.api.resource import Resource, update
from owed.api.service import Service
from owed.core.accounts import AccountMembers
from owed.core.bills import BillMembers, Void
from owed.model import search
from owed.model.bill import MAX_AMOUNT, BillStatus
from owed.model.identifiers import CUSTOMER

CURRENCY = currency(
    "The bill's currency, as an active ISO 4217 code. It cannot change once there is money on the bill."
)

DUE_DATE = Date("When it should be paid.", "2026-02-28")

MEMBERS: dict[str, Field] = {"due_date": DUE_DATE, "payment_rules": PAYMENT_RULES, "metadata": METADATA}

ACCOUNT = Parent(
    accounts.CREATE,
    AccountMembers,
    "On which account it is: the id or the external reference of an account, or a whole new account.",
)

CREATE = Object(
    {
        **ours("id", "customer_id", "account_id", "status", "amount_paid", "amount_remaining"),
        "external_reference": reference("bill", CUSTOMER, "INV1234567890"),
        "customer": customers.owner("Whose bill it is"),
        "account": ACCOUNT,
        "currency": CURRENCY,
        "amount_due": Integer(1, MAX_AMOUNT, "The amount to collect, in the currency's smallest unit.", 2000),
        "bill_date": Date("The date of the bill; today's, in your time zone, where none is given.", "2026-01-31"),
        **MEMBERS,
    },
    dict,
    "A new bill.",
    required=("external_reference", "currency", "amount_due"),
)

UPDATE = Object(
    {
        **fixed("id", "external_reference", "customer_id", "account_id", "status", "bill_date"),
        **fixed("amount_due", "amount_remaining", json_type="integer"),
        **settled("customer", "account"),
        "currency": CURRENCY,
        "amount_paid": Integer(
            0, MAX_AMOUNT, "All that has been paid, here and elsewhere; a new value replaces the old one.", 2000
        ),
        **MEMBERS,
    },
    dict,
    "The members to change.",
)

VOID = Object({"metadata": METADATA}, dict, "What a voided bill is to remember.")

BILLS = Resource(BillMembers, CREATE, UPDATE)

LIST = Listing(
    BillMembers.kind,
    Filters(
        {
            "currency": (IN_CURRENCY, search.currency_term),
            "status": (Choice(tuple(BillStatus), "How the bill stands.", BillStatus.UNPAID), search.status_term),
        },
        owners=("customer", "account"),
        searched="the reference",
        are_due=True,
    ),
)


async def void_bill(service: Service, request: Request) -> Response:
    """POST /billing/bills/{bill}/void: void a bill for good. A body is not needed."""
    form = read_form(request, may_be_empty=True)
    members = Void() if form.value is UNSET else read_members(VOID, Void, form.value, "", form.faults)
    return await carry_out(service, request, form, update(request, form, members, *request.arguments))
