"""That those who are measured do the same work: a few requests whose answers the contract fixes, asked before the load.

The load generator then only has to count answers that are not successes.
"""

import json
from collections.abc import Iterator

from bench.client import Answer, Client
from bench.load import Scenario
from bench.seeding import customer
from bench.services import Service

CUSTOMERS = "/billing/customers"
INVALID: tuple[dict[str, object], ...] = (
    {},
    {"external_reference": "bcus_mine"},
    {"external_reference": "a b"},
    {"external_reference": "new", "balance": 1},
    {"external_reference": "new", "balance": 1.0, "currency": "ZAR"},
    {"external_reference": "new", "currency": "ZZZ"},
    {"external_reference": "new", "email": "nobody"},
    {"external_reference": "new", "phone": "0123"},
    {"external_reference": "new", "unknown": "member"},
    {"external_reference": "new", "metadata": {"": "nameless"}},
    {"external_reference": "new", "payment_rules": {"min_amount": 1}},
)


def check(service: Service) -> None:
    """Leave with what a service does otherwise than the others."""
    faults = list(_faults(service))
    if faults:
        raise SystemExit(f"{service.name} does not do the work: " + "; ".join(faults))


def _faults(service: Service) -> Iterator[str]:
    client = Client(service.url, service.key)
    yield from _read_faults(service, client)
    if Scenario.CREATE in service.scenarios:
        yield from _page_faults(client)
        yield from _write_faults(client)
        yield from _refusal_faults(service, client)


def _read_faults(service: Service, client: Client) -> Iterator[str]:
    reference = (service.directory / "references").read_text().split()[1]
    for name in ((service.directory / "ids").read_text().split()[1], reference):
        answer = client.send("GET", f"{CUSTOMERS}/{name}")
        expected = customer(int(reference.removeprefix("seed_")))
        found = json.loads(answer.body or b"{}")
        if answer.status != 200 or {**found, **expected} != found:
            yield f"{name} is answered with {answer.status} {found}"


def _page_faults(client: Client) -> Iterator[str]:
    answer = client.send("GET", f"{CUSTOMERS}?limit=20")
    ids = [each["id"] for each in json.loads(answer.body)["data"]]
    if answer.status != 200 or len(ids) != 20 or ids != sorted(ids, reverse=True) or not answer.headers["Next-Cursor"]:
        yield f"a page is answered with {answer.status} {ids}"


def _write_faults(client: Client) -> Iterator[str]:
    """Write what stands already, so that nothing is added."""
    replayed = client.send("POST", CUSTOMERS, customer(1), Idempotency_Key="seed_00000001")
    yield from _unless(replayed, 201, "a create under a used key")
    if replayed.headers["Idempotent-Replayed"] != "true":
        yield "a create under a used key is not a replay"
    reused = client.send("POST", CUSTOMERS, customer(2), Idempotency_Key="seed_00000001")
    yield from _unless(reused, 422, "a reused key")
    yield from _unless(client.send("POST", CUSTOMERS, customer(1)), 409, "a duplicate")
    yield from _unless(client.send("PATCH", f"{CUSTOMERS}/seed_00000001", {"balance": 2000}), 200, "an update")
    yield from _unless(client.send("PATCH", f"{CUSTOMERS}/nobody", {"balance": 2000}), 404, "an update of nobody")


def _refusal_faults(service: Service, client: Client) -> Iterator[str]:
    for members in INVALID:
        yield from _unless(client.send("POST", CUSTOMERS, members), 400, f"{members}")
    yield from _unless(Client(service.url, "sk_test_none").send("GET", f"{CUSTOMERS}/nobody"), 401, "an unknown key")
    yield from _unless(client.send("GET", f"{CUSTOMERS}/nobody"), 404, "nobody")


def _unless(answer: Answer, status: int, what: str) -> Iterator[str]:
    if answer.status != status:
        yield f"{what} is answered with {answer.status} instead of {status}: {answer.body.decode()}"
