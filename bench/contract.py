"""That those who are measured do the same work: a few requests whose answers the contract fixes, asked before the load.

The load generator then only has to count answers that are not successes.
"""

import json
from collections.abc import Iterator

from bench import payment_contract
from bench.client import Client
from bench.expected import conflict, json_of, unless, unless_at
from bench.load import OF_BILLS, OF_CUSTOMERS, OF_PAYMENTS, Scenario
from bench.seeding import bill, customer
from bench.services import Service

CUSTOMERS, BILLS = "/billing/customers", "/billing/bills"
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


NEW_BILL: dict[str, object] = {"external_reference": "new", "currency": "ZAR", "amount_due": 1}
INVALID_BILLS: tuple[dict[str, object], ...] = (
    NEW_BILL,
    {**NEW_BILL, "customer": "owner_00000001", "account": "owner_00000001"},
    {**NEW_BILL, "customer": 1},
    {**NEW_BILL, "customer": "a b"},
    {**NEW_BILL, "account": {"external_reference": "new"}},
    {**NEW_BILL, "customer": "owner_00000001", "account": {"external_reference": "new", "customer": "owner_00000001"}},
    {**NEW_BILL, "account": {"external_reference": "bacc_mine", "customer": "owner_00000001"}},
    {**NEW_BILL, "account": {"external_reference": "new", "customer": "owner_00000001", "balance": 1}},
    {**NEW_BILL, "customer": {"external_reference": "new", "email": "nobody"}},
    *({**NEW_BILL, "customer": "owner_00000001", **fault} for fault in (
        {"external_reference": "bcus_mine"},
        {"currency": "ZZZ"},
        {"amount_due": 0},
        {"amount_due": 100_000_000},
        {"amount_due": 1.0},
        {"bill_date": "2025-02-30"},
        {"due_date": "25-01-01"},
        {"due_date": "2025-01-01T00:00:00Z"},
        {"unknown": "member"},
        {"metadata": {"": "nameless"}},
        {"payment_rules": {"min_amount": 1}},
    )),
)  # fmt: skip


def check(service: Service, scenarios: frozenset[Scenario]) -> None:
    """Leave with what a service does otherwise than the others."""
    faults = list(_faults(service, service.scenarios & scenarios))
    if faults:
        raise SystemExit(f"{service.name} does not do the work: " + "; ".join(faults))


def _faults(service: Service, scenarios: frozenset[Scenario]) -> Iterator[str]:
    client = Client(service.url, service.key)
    if scenarios & OF_CUSTOMERS:
        yield from _read_faults(service, client)
    if Scenario.CREATE in scenarios:
        yield from _page_faults(client)
        yield from _write_faults(client)
        yield from _refusal_faults(service, client)
    if scenarios & OF_BILLS:
        yield from _bill_read_faults(service, client)
        yield from _bill_write_faults(client)
        yield from _bill_refusal_faults(client)
    if scenarios & OF_PAYMENTS:
        yield from payment_contract.faults(service, scenarios)


def _read_faults(service: Service, client: Client) -> Iterator[str]:
    reference = _second(service, "references")
    for name in (_second(service, "ids"), reference):
        answer = client.send("GET", f"{CUSTOMERS}/{name}")
        expected = customer(int(reference.removeprefix("seed_")))
        found = json_of(answer)
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
    yield from unless(replayed, 201, "a create under a used key")
    if replayed.headers["Idempotent-Replayed"] != "true":
        yield "a create under a used key is not a replay"
    reused = client.send("POST", CUSTOMERS, customer(2), Idempotency_Key="seed_00000001")
    yield from unless(reused, 422, "a reused key")
    yield from unless(client.send("POST", CUSTOMERS, customer(1)), 409, "a duplicate")
    yield from unless(client.send("PATCH", f"{CUSTOMERS}/seed_00000001", {"balance": 2000}), 200, "an update")
    yield from unless(client.send("PATCH", f"{CUSTOMERS}/nobody", {"balance": 2000}), 404, "an update of nobody")


def _refusal_faults(service: Service, client: Client) -> Iterator[str]:
    for members in INVALID:
        yield from unless(client.send("POST", CUSTOMERS, members), 400, f"{members}")
    yield from unless(Client(service.url, "sk_test_none").send("GET", f"{CUSTOMERS}/nobody"), 401, "an unknown key")
    yield from unless(client.send("GET", f"{CUSTOMERS}/nobody"), 404, "nobody")


def _bill_read_faults(service: Service, client: Client) -> Iterator[str]:
    bill_id, account_id, customer_id = (_second(service, name) for name in ("bills", "accounts", "owners"))
    given = {name: value for name, value in bill(1).items() if name not in ("external_reference", "account")}
    standing = {"status": "unpaid", "amount_paid": 0, "amount_remaining": 25_000}
    expected = {**given, **standing, "id": bill_id, "customer_id": customer_id, "account_id": account_id}
    found = json_of(client.send("GET", f"{BILLS}/{bill_id}"))
    by_reference = json_of(client.send("GET", f"{BILLS}/{found.get('external_reference')}"))
    page = json_of(client.send("GET", f"{BILLS}?limit=20&customer={customer_id}"))
    for answer in (found, by_reference, *page.get("data", [{}])):
        if {**answer, **expected} != answer:
            yield f"{bill_id} is answered with {answer}"
    yield from unless(client.send("GET", f"{BILLS}/nothing"), 404, "no bill")


def _bill_write_faults(client: Client) -> Iterator[str]:
    """Write what stands already, so that nothing is added."""
    seeded, key = bill(1), "owner_00000001"
    replayed = client.send("POST", BILLS, seeded, Idempotency_Key=key)
    yield from unless(replayed, 201, "a composite under a used key")
    if replayed.headers["Idempotent-Replayed"] != "true":
        yield "a composite under a used key is not a replay"
    yield from unless(client.send("POST", BILLS, bill(2), Idempotency_Key=key), 422, "a reused key")
    plain = {**NEW_BILL, "external_reference": key, "account": key}
    yield from conflict(client.send("POST", BILLS, plain), "/external_reference")
    composite = {**seeded, "external_reference": "new", "account": {**seeded["account"], "external_reference": "new"}}
    yield from conflict(client.send("POST", BILLS, composite), "/account/customer/external_reference")
    yield from unless(client.send("GET", f"{BILLS}/new"), 404, "what was refused")


def _bill_refusal_faults(client: Client) -> Iterator[str]:
    for members in INVALID_BILLS:
        yield from unless(client.send("POST", BILLS, members), 400, f"{members}")
    for member in ("customer", "account"):
        answer = client.send("POST", BILLS, {**NEW_BILL, member: "nobody"})
        yield from unless(answer, 404, f"a bill of no {member}")
        yield from unless_at(answer, f"/{member}")
    composite = bill(0)
    composite["account"] = {**composite["account"], "customer": {"external_reference": "new", "email": "nobody"}}
    yield from unless_at(client.send("POST", BILLS, composite), "/account/customer/email")


def check_list(service: Service) -> None:
    """Leave unless the pages of a customer's bills, among many, are right."""
    client, owner = Client(service.url, service.key), _second(service, "owners")
    first = client.send("GET", f"{BILLS}?limit=20&customer={owner}")
    cursor = first.headers["Next-Cursor"]
    second = client.send("GET", f"{BILLS}?limit=20&customer={owner}&cursor={cursor}")
    found = [each for page in (first, second) for each in json_of(page).get("data", [])]
    ids = [each["id"] for each in found]
    if len(ids) != 40 or ids != sorted(ids, reverse=True) or {each["customer_id"] for each in found} != {owner}:
        raise SystemExit(f"{service.name} lists {len(ids)} bills of {owner}: {first.body[:500]!r}")


def _second(service: Service, name: str) -> str:
    return (service.directory / name).read_text().split()[1]
