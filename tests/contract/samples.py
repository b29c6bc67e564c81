"""Customers as the tests make them."""

from typing import Any, Final
from uuid import uuid4

from tests.contract.client import Answer, Client, Json

CUSTOMERS: Final = "/billing/customers"
LARGEST: Final = 2**53 - 1
RULES: Final[Json] = {
    "min_amount": 100,
    "max_amount": 1_000_000,
    "underpayment_allowed": True,
    "overpayment_allowed": False,
}
DEFAULT_RULES: Final[Json] = {
    "min_amount": 1,
    "max_amount": 99_999_999,
    "underpayment_allowed": True,
    "overpayment_allowed": False,
}


def a_reference() -> str:
    """Return a reference that nobody has used."""
    return f"ref-{uuid4().hex}"


def a_key() -> str:
    """Return an idempotency key that nobody has used."""
    return str(uuid4())


def a_request(**members: Any) -> Json:
    """Return what creates a new customer with `members`."""
    return {"external_reference": a_reference()} | members


def create(client: Client, **members: Any) -> Answer:
    """POST a customer with a fresh reference and `members`, whatever comes of it."""
    return client.post(CUSTOMERS, a_request(**members))


def a_customer(client: Client, **members: Any) -> Json:
    """Create a customer, which must succeed, and return it."""
    answer = create(client, **members)
    assert answer.status == 201, answer.body
    customer: Json = answer.json()
    return customer


def at(customer: Json) -> str:
    """Return the path of a customer."""
    return f"{CUSTOMERS}/{customer['id']}"
