"""The demo merchant, and its customers: John Doe, whom the documentation shows, and some company for him."""

from random import SystemRandom
from typing import Any, Final

from owed.api.customers import CREATE
from owed.api.fields import Faults
from owed.api.forms import read_members
from owed.core.create import Create
from owed.core.customers import CustomerMembers
from owed.core.journal import Journal
from owed.core.state import State
from owed.database.pool import Connection
from owed.engine.clock import BatchStamp, Clock
from owed.engine.store import Writing
from owed.model.access import ApiKey, digest
from owed.model.attribution import Actor
from owed.model.identifiers import IdSource
from owed.store.keys import find_keys
from owed.store.merchants import NewMerchant, create_first_merchant
from owed.store.postgres import save

JOHN_DOE: Final[dict[str, Any]] = {
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

CUSTOMERS: Final = (
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


async def create_demo(connection: Connection, name: str) -> NewMerchant | None:
    """Create the demo merchant with its customers in test mode, all or nothing; None where there is a merchant."""
    async with connection.raw.transaction():
        merchant = await create_first_merchant(connection, name)
        if merchant is not None:
            hashed = digest(merchant.keys["sk_test"])
            key = (await find_keys(connection, [hashed]))[hashed]
            await save(connection, Writing(created(key), {}))
    return merchant


def created(key: ApiKey) -> State:
    """Decide what the customers become, as the engine does for a request with this key."""
    state, clock, ids = State(), Clock(), IdSource(SystemRandom())
    for members in CUSTOMERS:
        journal = Journal(key.tenant_id, Actor(key.id), BatchStamp(clock.now(), ids))
        command(key, members).decide(state, journal)
        state.apply(journal)
    return state


def command(key: ApiKey, members: dict[str, Any]) -> Create:
    """Make the command that a request with these members would be."""
    faults = Faults()
    checked = read_members(CREATE, CustomerMembers, members, "", faults)
    return Create(tenant_id=key.tenant_id, actor=Actor(key.id), members=checked, settings=key.settings)
