"""The customers that stand before anything is measured: the same in every contender, made through its own API."""

import http.client
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from bench import sql
from bench.services import Service

THREADS = 8
here = threading.local()


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
    with ThreadPoolExecutor(THREADS) as threads:
        bodies = list(threads.map(lambda number: _create(service, customer(number)), range(1, count + 1)))
    _note(service, bodies)
    sql.execute(service.dsn, "VACUUM ANALYZE")
    return bodies


def seed_bare(service: Service, bodies: list[bytes]) -> None:
    """Give the bare stack, which cannot write, the bodies that another service answered with."""
    rows = [(found["id"], found["external_reference"], body) for found, body in zip(_read(bodies), bodies, strict=True)]
    sql.copy(service.dsn, "customer", ("id", "external_reference", "body"), rows)
    _note(service, bodies)
    sql.execute(service.dsn, "VACUUM ANALYZE")


def _create(service: Service, members: dict[str, object]) -> bytes:
    headers = {
        "Authorization": f"Bearer {service.key}",
        "Content-Type": "application/json",
        "Idempotency-Key": str(members["external_reference"]),
    }
    connection = _connection(service.url)
    connection.request("POST", "/billing/customers", json.dumps(members), headers)
    response = connection.getresponse()
    body = response.read()
    if response.status != 201:
        raise SystemExit(f"{service.name} refuses a customer: {response.status} {body.decode()}")
    return body


def _connection(url: str) -> http.client.HTTPConnection:
    """Return this thread's connection to a service."""
    connections: dict[str, http.client.HTTPConnection] = here.__dict__
    if url not in connections:
        connections[url] = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    return connections[url]


def _read(bodies: list[bytes]) -> Iterator[dict[str, str]]:
    return (json.loads(body) for body in bodies)


def _note(service: Service, bodies: list[bytes]) -> None:
    found = list(_read(bodies))
    (service.directory / "ids").write_text("".join(f"{each['id']}\n" for each in found))
    (service.directory / "references").write_text("".join(f"{each['external_reference']}\n" for each in found))
