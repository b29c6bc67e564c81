"""The demo merchant: John Doe, whom the documentation shows, some company for him, and what they all owe."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial
from random import SystemRandom
from typing import Any, Final, NamedTuple

from owed.api import accounts, bills, customers
from owed.api.composites import Object
from owed.api.fields import Faults
from owed.api.forms import read_members
from owed.core.accounts import AccountMembers
from owed.core.bills import BillMembers, Void
from owed.core.create import Create
from owed.core.customers import CustomerMembers
from owed.core.journal import Journal
from owed.core.members import Members
from owed.core.outcomes import Done
from owed.core.stamp import Stamp
from owed.core.state import State
from owed.core.update import Update
from owed.database.pool import Connection
from owed.engine.clock import BatchStamp, Clock
from owed.engine.store import Writing
from owed.model.access import ApiKey, digest
from owed.model.attribution import Actor
from owed.model.billing_object import BillingObject
from owed.model.identifiers import IdSource
from owed.model.tenant_settings import TenantSettings
from owed.store.keys import find_keys
from owed.store.merchants import NewMerchant, create_first_merchant
from owed.store.postgres import save

Json = dict[str, Any]

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
    water, subscription = ({"account": each["external_reference"]} for each in ACCOUNTS)
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


PAID: Final = {"INV-1001": 480_000, "INV-1002": 200_000, "INV-1005": 31_200, "UBR1234567888": 2000}
"""What is paid of bills, in whole or in part."""

VOIDED: Final = {"INV-1006": {"metadata": {"voided_reason": "the meter was misread"}}}
"""What was raised in error."""


class Asked(NamedTuple):
    """A request, as a client would send it.

    Attributes:
        form: What its members may be.
        kind: Takes them.
        name: The object that it is to change; empty where it makes one.
    """

    form: Object
    kind: type[Members[Any]]
    given: Json
    name: str = ""


new_customer = partial(Asked, customers.CREATE, CustomerMembers)
new_account = partial(Asked, accounts.CREATE, AccountMembers)
new_bill = partial(Asked, bills.CREATE, BillMembers)
bill_update = partial(Asked, bills.UPDATE, BillMembers)
bill_void = partial(Asked, bills.VOID, Void)


def demo_requests(today: date) -> Iterator[Asked]:
    """Yield the requests that make all that the demo merchant has."""
    yield from map(new_customer, CUSTOMERS)
    yield from map(new_account, ACCOUNTS)
    yield from map(new_bill, demo_bills(today))
    yield from (bill_update({"amount_paid": amount}, name) for name, amount in PAID.items())
    yield from (bill_void(given, name) for name, given in VOIDED.items())


class Books:
    """The books of one tenant, on which requests are decided as the engine decides them, with no database.

    Args:
        stamp: Makes the stamp of each request.
    """

    def __init__(self, tenant_id: int, key_id: str, settings: TenantSettings, stamp: Callable[[], Stamp]) -> None:
        self.state = State()
        self._tenant_id, self._actor, self._settings, self._stamp = tenant_id, Actor(key_id), settings, stamp

    def enter(self, asked: Asked) -> None:
        """Do what is asked."""
        journal = self._journal()
        self._decided(asked, journal)
        self.state.apply(journal)

    def outcome(self, asked: Asked) -> BillingObject:
        """Give the object as it would be if what is asked were done."""
        return self._decided(asked, self._journal())

    def _journal(self) -> Journal:
        return Journal(self._tenant_id, self._actor, self._stamp())

    def _decided(self, asked: Asked, journal: Journal) -> BillingObject:
        outcome = self._command(asked).decide(self.state, journal)
        if isinstance(outcome, Done) and isinstance(outcome.object, BillingObject):
            return outcome.object
        raise ValueError(outcome)

    def _command(self, asked: Asked) -> Create | Update:
        """Make the command that the request would be."""
        faults = Faults()
        members = read_members(asked.form, asked.kind, asked.given, "", faults)
        whose: Json = {"tenant_id": self._tenant_id, "actor": self._actor, "faults": tuple(faults.found)}
        if asked.name:
            return Update(**whose, members=members, name=asked.name)
        return Create(**whose, members=members, settings=self._settings)


async def create_demo(connection: Connection, name: str) -> NewMerchant | None:
    """Create the demo merchant with all that it has in test mode, all or nothing; None where there is a merchant."""
    async with connection.raw.transaction():
        merchant = await create_first_merchant(connection, name)
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
