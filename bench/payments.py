"""What payments are asked for: the requests that the load generator picks from, one a line, a path and a body."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

PATH = "/billing/payments"
CURRENCY = "ZAR"
AMOUNT = 100
HUNDRED = 100
"""How many bills the payment of a hundred bills pays."""

KEY = "{key}"
"""Stands in a body where the load generator puts the request's own Idempotency-Key."""

Members = dict[str, Any]


def payment(**target: str) -> Members:
    """Give a payment of what a member names, with nothing that need not be."""
    return {**target, "amount": AMOUNT, "currency": CURRENCY}


def full_payment(bill: str, reference: str) -> Members:
    """Give a payment of a bill with all that a payment can have."""
    return {
        **payment(bill=bill),
        "external_reference": reference,
        "channel": "bank_transfer",
        "method": "instant_eft",
        "provider_reference": "EFT 2026-01-31 7731",
        "metadata": {"branch": "Cape Town", "cashier": "17"},
    }


def payment_of(bills: Sequence[str]) -> Members:
    """Give one payment of several bills."""
    applications = [{"bill": bill, "amount": AMOUNT} for bill in bills]
    return {"amount": AMOUNT * len(bills), "currency": CURRENCY, "applications": applications}


def charge() -> Members:
    """Give a charge against a credit, of which none may be owed."""
    return {"amount": AMOUNT, "floor": 0}


def refund() -> Members:
    """Give a refund of a small part of a payment."""
    return {"amount": AMOUNT, "reason": "Returned goods"}


def of_neighbours(bills: Sequence[str]) -> Iterator[Members]:
    """Yield, for each bill, a payment of it and of those after it."""
    ring = [*bills, *bills[: HUNDRED - 1]]
    for first in range(len(bills)):
        yield payment_of(ring[first : first + HUNDRED])


def line(path: str, members: Members) -> str:
    """Write a request as the load generator reads it."""
    return f"{path} {json.dumps(members, separators=(',', ':'))}\n"
