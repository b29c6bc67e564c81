"""The customers that stand before anything is measured: the same in every contender, made through its own API."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from bench import sql
from bench.client import Client
from bench.services import Service

THREADS = 8


def customer(number: int) -> dict[str, object]:
    """Give the customer of the source page, told apart by a number."""
    return {
        "external_reference": f"seed_{number:08d}",
        "name": "John Doe",
        "email": f"john.doe.{number}@example.com",
        "phone": f"+27{number:09d}",
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


def seed(service: Service, count: int) -> list[bytes]:
    """Create `count` customers, note their ids and references, and return the bodies that the service answered with."""
    parts = [range(first, count + 1, THREADS) for first in range(1, THREADS + 1)]
    with ThreadPoolExecutor(THREADS) as threads:
        bodies = list(chain.from_iterable(threads.map(lambda numbers: _create(service, numbers), parts)))
    _note(service, bodies)
    sql.execute(service.dsn, "VACUUM ANALYZE")
    return bodies


def seed_bare(service: Service, bodies: list[bytes]) -> None:
    """Give the bare stack, which cannot write, the bodies that another service answered with."""
    found = [json.loads(body) for body in bodies]
    rows = [(each["id"], each["external_reference"], body) for each, body in zip(found, bodies, strict=True)]
    sql.copy(service.dsn, "customer", ("id", "external_reference", "body"), rows)
    _note(service, bodies)
    sql.execute(service.dsn, "VACUUM ANALYZE")


def _create(service: Service, numbers: Iterable[int]) -> list[bytes]:
    client, bodies = Client(service.url, service.key), []
    for number in numbers:
        members = customer(number)
        key = str(members["external_reference"])
        answer = client.send("POST", "/billing/customers", members, Idempotency_Key=key)
        if answer.status != 201:
            raise SystemExit(f"{service.name} refuses a customer: {answer.status} {answer.body.decode()}")
        bodies.append(answer.body)
    return bodies


def _note(service: Service, bodies: list[bytes]) -> None:
    found = [json.loads(body) for body in bodies]
    (service.directory / "ids").write_text("".join(f"{each['id']}\n" for each in found))
    (service.directory / "references").write_text("".join(f"{each['external_reference']}\n" for each in found))
