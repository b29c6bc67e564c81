"""Customers, accounts and bills as the tests make them, and what is recorded of each."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.service import Database

CUSTOMERS: Final = "/billing/customers"
ACCOUNTS: Final = "/billing/accounts"
BILLS: Final = "/billing/bills"
PAYMENTS: Final = "/billing/payments"
SETTINGS: Final = "/billing/settings"
PLACES: Final = {"bcus": CUSTOMERS, "bacc": ACCOUNTS, "bill": BILLS, "pay_": PAYMENTS}
KINDS: Final = {"bcus": "customer", "bacc": "account", "bill": "bill"}
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


def an_account(client: Client, **members: Any) -> Json:
    """Create an account, which must succeed, and return it; of a new customer unless `members` name one."""
    customer = members.pop("customer", None) or a_customer(client)["id"]
    answer = client.post(ACCOUNTS, a_request(customer=customer, **members))
    assert answer.status == 201, answer.body
    account: Json = answer.json()
    return account


def create_bill(client: Client, **members: Any) -> Answer:
    """POST a bill of 1000 ZAR with `members`, whatever comes of it; on a new customer unless they say on what."""
    on = {} if {"customer", "account"} & set(members) else {"customer": a_customer(client)["id"]}
    return client.post(BILLS, a_request(**{"currency": "ZAR", "amount_due": 1000} | on | members))


def a_bill(client: Client, **members: Any) -> Json:
    """Create a bill, which must succeed, and return it."""
    answer = create_bill(client, **members)
    assert answer.status == 201, answer.body
    bill: Json = answer.json()
    return bill


def create_account(client: Client, **members: Any) -> Answer:
    """POST an account with `members`, whatever comes of it; of a new customer unless they name one."""
    of = {} if "customer" in members else {"customer": a_customer(client)["id"]}
    return client.post(ACCOUNTS, a_request(**of, **members))


def at(thing: Json) -> str:
    """Return the path of a customer, an account, a bill or a payment."""
    return f"{PLACES[thing['id'][:4]]}/{thing['id']}"


def on(thing: Json) -> Json:
    """Return the member of a payment that names a customer, an account or a bill."""
    return {KINDS[thing["id"][:4]]: thing["id"]}


def pay(client: Client, amount: int = 100, *, key: str | None = None, **members: Any) -> Answer:
    """POST a payment in ZAR with `members`, whatever comes of it; under a fresh key unless one is given."""
    return client.post(PAYMENTS, {"amount": amount, "currency": "ZAR"} | members, Idempotency_Key=key or a_key())


def a_payment(client: Client, amount: int = 100, **members: Any) -> Json:
    """Make a payment, which must succeed, and return it."""
    answer = pay(client, amount, **members)
    assert answer.status == 201, answer.body
    payment: Json = answer.json()
    return payment


def payment_refused(answer: Answer, rules: list[str], *pointers: str) -> Json:
    """Expect that the payment rules refuse a payment, each at its place, in their order; return the problem."""
    assert (answer.status, answer.code) == (422, "payment_refused"), answer.body
    problem: Json = answer.json()
    assert (problem["rule"], problem["rules"]) == (rules[0], rules)
    assert answer.pointers == list(pointers)
    return problem


@dataclass(frozen=True)
class Noun:
    """A kind of object, as far as the contract says the same of every kind.

    Attributes:
        name: What it is called; its table too.
        path: Where its objects are.
        prefix: How its ids begin.
        reserved: How its references may not begin.
        create: POST one with members, whatever comes of it.
        more: What a request for a new one has beside its reference.
        rules: The payment rules that a new one gets from a new merchant.
    """

    name: str
    path: str
    prefix: str
    reserved: str
    create: Callable[..., Answer]
    more: Callable[[Client], Json]
    rules: Json

    def __str__(self) -> str:
        return self.name

    def make(self, client: Client, **members: Any) -> Json:
        """Create one, which must succeed, and return it."""
        answer = self.create(client, **members)
        assert answer.status == 201, answer.body
        made: Json = answer.json()
        return made

    def request(self, client: Client, **members: Any) -> Json:
        """Return what creates a new one with `members`."""
        return a_request(**(self.more(client) | members))


def of_a_customer(client: Client) -> Json:
    """Return the member that names a new customer."""
    return {"customer": a_customer(client)["id"]}


CUSTOMER: Final = Noun("customer", CUSTOMERS, "bcus_", "bcus_", create, lambda client: {}, DEFAULT_RULES)
ACCOUNT: Final = Noun("account", ACCOUNTS, "bacc_", "bacc_", create_account, of_a_customer, DEFAULT_RULES)
BILL: Final = Noun(
    "bill",
    BILLS,
    "bill_",
    "bcus_",
    create_bill,
    lambda client: of_a_customer(client) | {"currency": "ZAR", "amount_due": 1000},
    DEFAULT_RULES | {"max_amount": 1000},
)
OPEN_RULES: Final[Json] = {
    "min_amount": 1,
    "max_amount": 999_999_999_999,
    "underpayment_allowed": True,
    "overpayment_allowed": True,
}


def owing(client: Client, noun: Noun, amount: int = 1000, **members: Any) -> Json:
    """Create an object that owes an amount in ZAR: a bill of it, or a balance."""
    money = {"amount_due": amount} if noun is BILL else {"balance": amount}
    return noun.make(client, **{"currency": "ZAR"} | money | members)


EVERY_NOUN: Final = pytest.mark.parametrize("noun", [CUSTOMER, ACCOUNT, BILL], ids=str)
EVERY_BALANCE: Final = pytest.mark.parametrize("noun", [CUSTOMER, ACCOUNT], ids=str)


def refused(answer: Answer, status: int, *pointers: str) -> None:
    """Expect a refusal that names exactly these faults, in any order."""
    code = {400: "invalid_request", 404: "not_found", 409: "conflict"}[status]
    assert (answer.status, answer.code) == (status, code), answer.body
    assert sorted(answer.pointers) == sorted(pointers), answer.body


def transfers(database: Database, thing: Json) -> list[tuple[Any, ...]]:
    """Return the transfers of an object: cause, debit, credit, amount, total after it, currency."""
    columns = "version, cause, debit, credit, amount, total_after, currency"
    rows = database.rows(f"SELECT {columns} FROM transfer WHERE obligation_id = $1 ORDER BY version", thing["id"])
    assert [row["version"] for row in rows] == [*range(1, len(rows) + 1)]
    return [tuple(row)[1:] for row in rows]


def events(database: Database, thing: Json) -> list[tuple[str, Json]]:
    """Return the events of an object, whose sequence must have no gaps: the type and the data of each."""
    rows = database.rows("SELECT sequence, body FROM event WHERE object_id = $1 ORDER BY sequence", thing["id"])
    assert [row["sequence"] for row in rows] == [*range(1, len(rows) + 1)]
    bodies = [json.loads(row["body"]) for row in rows]
    return [(body["type"], body["data"]) for body in bodies]


@dataclass(frozen=True)
class Taking:
    """A way to take a payment back, as far as the contract says the same of both.

    Attributes:
        name: What it is called.
        path: Where those of a payment are, under it.
        prefix: How its ids begin.
        counted: The member of the payment that adds them up.
        verb: What the payment is then, as its status says.
        needs: What a request must have.
    """

    name: str
    path: str
    prefix: str
    counted: str
    verb: str
    needs: Json

    def __str__(self) -> str:
        return self.name

    def at(self, payment: Json) -> str:
        """Return where those of a payment are."""
        return f"{at(payment)}/{self.path}"

    def create(self, client: Client, payment: Json, *, key: str | None = None, **members: Any) -> Answer:
        """POST one with `members`, whatever comes of it; with no body and no media type where it has no member."""
        body, key = self.needs | members, key or a_key()
        if body:
            return client.post(self.at(payment), body, Idempotency_Key=key)
        return client.send("POST", self.at(payment), headers={"Idempotency-Key": key})

    def make(self, client: Client, payment: Json, **members: Any) -> Json:
        """Create one, which must succeed, and return it."""
        answer = self.create(client, payment, **members)
        assert answer.status == 201, answer.body
        made: Json = answer.json()
        return made


REFUND: Final = Taking("refund", "refunds", "ref_", "amount_refunded", "refunded", {})
REVERSAL: Final = Taking("reversal", "reversals", "rev_", "amount_reversed", "reversed", {"reason": "error"})
EITHER_WAY: Final = pytest.mark.parametrize("taking", [REFUND, REVERSAL], ids=str)


def as_it_stands(client: Client, thing: Json) -> Json:
    """Retrieve a customer, an account, a bill or a payment."""
    answer = client.get(at(thing))
    assert answer.status == 200, answer.body
    found: Json = answer.json()
    return found


def moment(text: str) -> datetime:
    """Read a timestamp as responses have it: in UTC, with a `Z`."""
    assert text.endswith("Z"), text
    return datetime.fromisoformat(text)


def iso(time: datetime) -> str:
    """Write a time as a query has it, to the microsecond."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def entries(client: Client, thing: Json, **query: Any) -> list[Json]:
    """Return the entries of a customer, an account or a bill, newest first."""
    answer = client.get(f"{at(thing)}/entries?{urlencode({'limit': 100} | query)}")
    assert answer.status == 200, answer.body
    assert set(answer.json()) == {"data"}
    found: list[Json] = answer.json()["data"]
    return found
