"""The demo merchant: John Doe, whom the documentation shows, some company for him, and what they all owe."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from random import SystemRandom
from typing import Any, Final

from owed.api import accounts, bills, customers
from owed.api.adjustments import (
    ACCOUNT_CHARGES,
    ACCOUNT_CREDITS,
    BILL_CREDITS,
    CUSTOMER_CHARGES,
    CUSTOMER_CREDITS,
    Adjusting,
)
from owed.api.books import (
    AdjustmentAsked,
    Asked,
    Books,
    Json,
    ObjectAsked,
    PaymentAsked,
    ReallocationAsked,
    TakingBackAsked,
)
from owed.api.payment_documents import PaymentDocuments
from owed.api.reallocations import ALLOCATIONS, MOVES
from owed.core.accounts import AccountMembers
from owed.core.bills import BillMembers, Void
from owed.core.customers import CustomerMembers
from owed.core.state import State
from owed.core.taking_back import RefundPayment, ReversePayment
from owed.database.pool import Connection
from owed.engine.clock import BatchStamp, Clock
from owed.engine.store import Writing
from owed.model.access import ApiKey, digest
from owed.model.attribution import Actor
from owed.model.identifiers import IdSource
from owed.store.keys import find_keys
from owed.store.merchants import NewMerchant, create_first_merchant
from owed.store.postgres import save

JOHN_DOE: Final[Json] = {
    "external_reference": "UCR1234567890",
    "name": "John Doe",
    "email": "john.doe@example.com",
    "phone": "+27123456789",
    "currency": "ZAR",
    "balance": 2000,
    "payment_rules": {
        "min_amount": 100,
        "max_amount": 1_000_000,
        "underpayment_allowed": True,
        "overpayment_allowed": False,
    },
    "metadata": {"customer_type": "premium", "registration_source": "website"},
}

CUSTOMERS: Final[tuple[Json, ...]] = (
    {"external_reference": "UCR1234567887", "name": "Thandi Nkosi", "phone": "+27825550123"},
    {
        "external_reference": "UCR1234567888",
        "name": "Kabelo Traders (Pty) Ltd",
        "email": "accounts@kabelo.example",
        "currency": "ZAR",
        "balance": 1_250_000,
        "metadata": {"customer_type": "business"},
    },
    {
        "external_reference": "UCR1234567889",
        "name": "Amina Otieno",
        "email": "amina.otieno@example.com",
        "phone": "+254712345678",
        "currency": "KES",
        "balance": -15_000,
        "metadata": {"customer_type": "prepaid", "registration_source": "agent"},
    },
    JOHN_DOE,
)
"""As a client would create them, the last one newest."""

ACCOUNTS: Final[tuple[Json, ...]] = (
    {
        "external_reference": "UAR1234567887",
        "customer": "UCR1234567889",
        "name": "Kisumu shop, prepaid electricity",
        "currency": "KES",
        "balance": 0,
        "payment_rules": {
            "min_amount": 1000,
            "max_amount": 2_000_000,
            "underpayment_allowed": True,
            "overpayment_allowed": True,
        },
        "metadata": {"meter": "E-77310"},
    },
    {
        "external_reference": "UAR1234567888",
        "customer": "UCR1234567887",
        "name": "12 Acacia Avenue, water",
        "currency": "ZAR",
        "balance": 18_450,
        "metadata": {"meter": "W-20417"},
    },
    {
        "external_reference": "UAR1234567890",
        "customer": "UCR1234567890",
        "name": "Subscription Account",
        "currency": "ZAR",
        "balance": 2000,
        "metadata": {"account_type": "subscription", "billing_cycle": "monthly"},
    },
)


def a_bill(reference: str, on: Json, amount_due: int, issued: date, days: int, **more: Any) -> Json:
    """Give the members of a bill that is due some days after its date."""
    dates = {"bill_date": issued.isoformat(), "due_date": (issued + timedelta(days)).isoformat()}
    return {"external_reference": reference, **on, "currency": "ZAR", "amount_due": amount_due, **dates, **more}


def demo_bills(today: date) -> tuple[Json, ...]:
    """Give what creates the bills: some are due, some overdue, and one makes the account that it is on."""
    thandi, kabelo, amina = ({"customer": each["external_reference"]} for each in CUSTOMERS[:3])
    water, subscription = ({"account": each["external_reference"]} for each in ACCOUNTS[1:])
    depot = {"account": {"external_reference": "UAR1234567889", "name": "Paarl depot, electricity", **kabelo}}
    ago = [today - timedelta(days) for days in range(80)]
    return (
        a_bill("INV-1001", kabelo, 480_000, ago[75], 30),
        a_bill("INV-1002", kabelo, 515_000, ago[45], 30),
        a_bill("INV-1003", depot, 312_550, ago[14], 30, metadata={"kilowatt_hours": "1240"}),
        a_bill("INV-1004", thandi, 64_990, ago[50], 30, metadata={"for": "connection fee"}),
        a_bill("INV-1005", water, 31_200, ago[40], 14),
        a_bill("INV-1006", water, 1_312_000, ago[10], 14),
        a_bill("INV-1007", amina, 150_000, ago[5], 14, currency="KES"),
        a_bill("UBR1234567888", subscription, 2000, ago[31], 30),
        a_bill("UBR1234567889", {"customer": "UCR1234567890"}, 1500, ago[1], 30),
        a_bill("UBR1234567890", subscription, 2000, today, 30, metadata={"service_type": "subscription"}),
    )


PAID_ELSEWHERE: Final = {"INV-1005": 31_200}
"""What is paid of bills, but not through Owed."""


def demo_payments(today: date) -> tuple[Json, ...]:
    """Give what makes the payments, by the channels that they came through; one transfer pays two bills."""
    paid_at = [f"{today - timedelta(days)}T08:15:00Z" for days in range(40)]
    two_bills = [{"bill": "INV-1001", "amount": 480_000}, {"bill": "INV-1002", "amount": 200_000}]
    unknown_bill = {"applications": [{"bill": "INV-1022", "amount": 90_000}], "customer": "UCR1234567888"}
    return (
        a_payment("PAY-1001", {"applications": two_bills}, 680_000, "bank_transfer", "eft", paid_at[25],
                  provider_reference="KABELO TRADERS INV 1001 1002"),
        a_payment("PAY-1002", {"bill": "INV-1004"}, 64_990, "debit_order", "debit_order", paid_at[20]),
        a_payment("PAY-1003", {"account": "UAR1234567888"}, 10_000, "retail", "cash", paid_at[12],
                  metadata={"till": "Paarl 3"}),
        a_payment("PAY-1004", {"bill": "UBR1234567888"}, 2000, "online", "card", paid_at[8]),
        a_payment("PAY-1005", {"account": "UAR1234567887"}, 50_000, "mobile_money", "m_pesa", paid_at[3],
                  currency="KES"),
        a_payment("PAY-1006", unknown_bill, 150_000, "bank_transfer", "eft", paid_at[2],
                  received=True, provider_reference="KABELO TRADERS INV 1022"),
        a_payment("PAY-1007", {"customer": "UCR1234567888"}, 25_000, "bank_transfer", "eft", paid_at[1]),
    )  # fmt: skip


def a_payment(
    reference: str, what: Json, amount: int, channel: str, method: str, paid_at: str, currency: str = "ZAR", **more: Any
) -> Json:
    """Give the members of a payment."""
    how = {"external_reference": reference, "channel": channel, "method": method, "paid_at": paid_at}
    return {**what, "amount": amount, "currency": currency, **how, **more}


REFUNDED: Final[dict[str, Json]] = {
    "PAY-1003": {"amount": 2500, "reason": "the till took 100 for 75", "external_reference": "REF-1001"}
}
"""What was given back of payments."""

REVERSED: Final[dict[str, Json]] = {"PAY-1002": {"reason": "dishonoured", "external_reference": "REV-1001"}}
"""Payments whose money never was good."""

REALLOCATED: Final[tuple[tuple[PaymentDocuments, str, Json], ...]] = (
    (
        ALLOCATIONS,
        "PAY-1006",
        {"bill": "INV-1003", "amount": 40_000, "reason": "he sent the advice", "external_reference": "ALL-1001"},
    ),
    (
        MOVES,
        "PAY-1006",
        {
            "customer": "UCR1234567888",
            "amount": 15_000,
            "reason": "he wants it on account",
            "external_reference": "MOV-1001",
        },
    ),
)
"""Where money went that had fitted nowhere, and that was on the wrong bill."""

ADJUSTED: Final[tuple[tuple[Adjusting, str, Json], ...]] = (
    (
        ACCOUNT_CHARGES,
        "UAR1234567887",
        {"amount": 12_000, "reason": "3.1 kWh", "external_reference": "CHG-1001", "floor": 0},
    ),
    (CUSTOMER_CHARGES, "UCR1234567889", {"amount": 2500, "reason": "reconnection", "external_reference": "CHG-1002"}),
    (ACCOUNT_CREDITS, "UAR1234567887", {"amount": 1000, "reason": "power failure", "external_reference": "CRD-1001"}),
    (CUSTOMER_CREDITS, "UCR1234567889", {"amount": 1500, "reason": "goodwill", "external_reference": "CRD-1002"}),
    (
        BILL_CREDITS,
        "INV-1007",
        {"type": "discount", "amount": 10_000, "reason": "early payment", "external_reference": "CRD-1003"},
    ),
)
"""What was charged and credited, all of it in shillings."""

VOIDED: Final = {"INV-1006": {"metadata": {"voided_reason": "the meter was misread"}}}
"""What was raised in error."""


new_customer = partial(ObjectAsked, customers.CREATE, CustomerMembers)
new_account = partial(ObjectAsked, accounts.CREATE, AccountMembers)
new_bill = partial(ObjectAsked, bills.CREATE, BillMembers)
bill_update = partial(ObjectAsked, bills.UPDATE, BillMembers)
bill_void = partial(ObjectAsked, bills.VOID, Void)
refund = partial(TakingBackAsked, RefundPayment)
reversal = partial(TakingBackAsked, ReversePayment)


def demo_requests(today: date) -> Iterator[Asked]:
    """Yield the requests that make all that the demo merchant has."""
    yield from map(new_customer, CUSTOMERS)
    yield from map(new_account, ACCOUNTS)
    yield from map(new_bill, demo_bills(today))
    yield from (bill_update({"amount_paid": amount}, name) for name, amount in PAID_ELSEWHERE.items())
    yield from map(PaymentAsked, demo_payments(today))
    yield from (refund(name, given) for name, given in REFUNDED.items())
    yield from (reversal(name, given) for name, given in REVERSED.items())
    yield from (ReallocationAsked(*reallocated) for reallocated in REALLOCATED)
    yield from (AdjustmentAsked(*adjusted) for adjusted in ADJUSTED)
    yield from (bill_void(given, name) for name, given in VOIDED.items())


async def create_demo(connection: Connection, name: str, actor: Actor) -> NewMerchant | None:
    """Create the demo merchant with all that it has in test mode, all or nothing; None where there is a merchant."""
    async with connection.raw.transaction():
        merchant = await create_first_merchant(connection, name, actor)
        if merchant is not None:
            hashed = digest(merchant.keys["sk_test"])
            key = (await find_keys(connection, [hashed]))[hashed]
            await save(connection, Writing(created(key), {}))
    return merchant


def created(key: ApiKey) -> State:
    """Decide what the demo's requests become, as the engine does for requests with this key."""
    clock, ids = Clock(), IdSource(SystemRandom())
    books = Books(key.tenant_id, key.id, key.settings, lambda: BatchStamp(clock.now(), ids))
    for asked in demo_requests(key.settings.date_at(clock.now())):
        books.enter(asked)
    return books.state
