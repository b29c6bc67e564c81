"""What stands before anything is measured: the same in every contender, made through its own API."""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

from bench import payments, sql
from bench.client import Client
from bench.load import Scenario
from bench.services import Service

THREADS = 8
ACCOUNTS = "/billing/accounts"
PREPAID = "prepaid"
DEBT = 1_000_000_000_000
BIG_BILL = 99_999_999
BIG_PAYMENT = 1_000_000_000
RULES = {"min_amount": 100, "max_amount": 1_000_000, "underpayment_allowed": True, "overpayment_allowed": False}
WIDE_RULES = {**RULES, "min_amount": 1, "max_amount": 999_999_999_999}

Members = dict[str, Any]


def customer(number: int) -> Members:
    """Give the customer of the source page, told apart by a number."""
    return _customer(f"seed_{number:08d}", number)


def bill(number: int) -> Members:
    """Give a bill of a new customer with a new account, all of the same reference."""
    reference = f"owner_{number:08d}"
    account = {
        "external_reference": reference,
        "customer": _customer(reference, number),
        "name": "Electricity",
        "currency": "ZAR",
        "balance": 1500,
        "payment_rules": RULES,
        "metadata": {"meter": "A-17"},
    }
    return {
        "external_reference": reference,
        "account": account,
        "currency": "ZAR",
        "amount_due": 25_000,
        "bill_date": "2026-01-01",
        "due_date": "2026-01-31",
        "payment_rules": RULES,
        "metadata": {"period": "2026-01"},
    }


def payer(number: int) -> Members:
    """Give a bill of a new customer with a new account, all of which owe so much that no run pays it off."""
    made, reference = bill(number), f"payer_{number:08d}"
    owing = {"external_reference": reference, "balance": DEBT, "payment_rules": WIDE_RULES}
    account = {**made["account"], **owing, "customer": {**made["account"]["customer"], **owing}}
    given = {"external_reference": reference, "account": account, "amount_due": BIG_BILL}
    return {**made, **given, "payment_rules": WIDE_RULES}


def prepaid() -> Members:
    """Give a new customer's account with more credit than any run uses up."""
    account = bill(0)["account"]
    owner = {**account["customer"], "external_reference": PREPAID}
    return {**account, "external_reference": PREPAID, "customer": owner, "balance": -DEBT}


def big_payment(number: int) -> Members:
    """Give a payment of a payer's balance that no run gives back whole."""
    paid = {**payments.payment(customer=f"payer_{number:08d}"), "amount": BIG_PAYMENT}
    return {**paid, "external_reference": f"paid_{number:08d}"}


def _customer(reference: str, number: int) -> Members:
    return {
        "external_reference": reference,
        "name": "John Doe",
        "email": f"john.doe.{number}@example.com",
        "phone": f"+27{number:09d}",
        "currency": "ZAR",
        "balance": 2000,
        "payment_rules": RULES,
        "metadata": {"customer_type": "premium", "registration_source": "website"},
    }


def seed(service: Service, count: int) -> list[bytes]:
    """Create `count` customers, note their ids and references, and return the bodies that the service answered with."""
    bodies = _create_all(service, "/billing/customers", customer, count)
    _note(service, bodies, ids="id", references="external_reference")
    sql.execute(service.dsn, "VACUUM ANALYZE")
    return bodies


def seed_bills(service: Service, count: int) -> None:
    """Create `count` customers with an account and a bill each, and note their ids."""
    bodies = _create_all(service, "/billing/bills", bill, count)
    _note(service, bodies, bills="id", accounts="account_id", owners="customer_id")
    sql.execute(service.dsn, "VACUUM ANALYZE")


def seed_payments(service: Service, count: int) -> None:
    """Create `count` customers with an account and a bill, and a payment of each; note what is requested of them."""
    owing = _create_all(service, "/billing/bills", payer, count)
    paid = _create_all(service, payments.PATH, big_payment, count)
    if Scenario.CHARGE_HOT in service.scenarios:
        _create(service, ACCOUNTS, [prepaid()])
    for name, lines in _requests(owing, paid):
        (service.directory / name).write_text("".join(lines))
    sql.execute(service.dsn, "VACUUM ANALYZE")


def _requests(owing: list[bytes], paid: list[bytes]) -> Iterator[tuple[str, Iterator[str]]]:
    """Yield what the load generator picks from, by the name of the file."""
    path, found = payments.PATH, [json.loads(body) for body in owing]
    bills, account = [each["id"] for each in found], found[0]["account_id"]
    yield "checks", (payments.line(f"{path}/check", payments.payment(bill=each)) for each in bills)
    yield "payments_many", (payments.line(path, payments.payment(customer=each["customer_id"])) for each in found)
    yield "payments_hot", iter([payments.line(path, payments.payment(account=account))])
    yield "charges_hot", iter([payments.line(f"{ACCOUNTS}/{PREPAID}/charges", payments.charge())])
    yield "payments_bill", (payments.line(path, payments.full_payment(each, payments.KEY)) for each in bills)
    yield "payments_hundred", (payments.line(path, each) for each in payments.of_neighbours(bills))
    names = (json.loads(body)["id"] for body in paid)
    yield "refunds", (payments.line(f"{path}/{name}/refunds", payments.refund()) for name in names)


def seed_bare(service: Service, bodies: list[bytes]) -> None:
    """Give the bare stack, which cannot write, the bodies that another service answered with."""
    found = [json.loads(body) for body in bodies]
    rows = [(each["id"], each["external_reference"], body) for each, body in zip(found, bodies, strict=True)]
    sql.copy(service.dsn, "customer", ("id", "external_reference", "body"), rows)
    _note(service, bodies, ids="id", references="external_reference")
    sql.execute(service.dsn, "VACUUM ANALYZE")


def _create_all(service: Service, path: str, made: Callable[[int], Members], count: int) -> list[bytes]:
    parts = [range(first, count + 1, THREADS) for first in range(1, THREADS + 1)]
    with ThreadPoolExecutor(THREADS) as threads:
        return list(chain.from_iterable(threads.map(lambda numbers: _create(service, path, map(made, numbers)), parts)))


def _create(service: Service, path: str, each: Iterable[Members]) -> list[bytes]:
    client, bodies = Client(service.url, service.key), []
    for members in each:
        key = str(members["external_reference"])
        answer = client.send("POST", path, members, Idempotency_Key=key)
        if answer.status != 201:
            raise SystemExit(f"{service.name} refuses {members}: {answer.status} {answer.body.decode()}")
        bodies.append(answer.body)
    return bodies


def _note(service: Service, bodies: list[bytes], **files: str) -> None:
    """Write files of one line for each body: the member that stands beside the file's name."""
    found = [json.loads(body) for body in bodies]
    for name, member in files.items():
        (service.directory / name).write_text("".join(f"{each[member]}\n" for each in found))
