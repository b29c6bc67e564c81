"""A customer asks to be forgotten: what she owes stays owed, who put it right stays known, and she is gone."""

import json
from collections.abc import Iterator
from typing import Final

import pytest

from tests.contract.client import Json
from tests.contract.service import Database, Merchant, Service, dsn_of
from tests.failure.stand import wait_until
from tests.scenarios.desk import Desk
from tests.webhooks.scenarios.merchant import Hook, Shop
from tests.webhooks.scenarios.tellings import verifies

PERSON: Final[Json] = {
    "external_reference": "boitumelo-8807", "name": "Boitumelo Radebe", "email": "bee@radebe.example",
    "phone": "+27825550177", "metadata": {"born": "1988-07-30"}, "currency": "ZAR", "balance": 30_000,
}  # fmt: skip
METER: Final[Json] = {
    "external_reference": "radebe-water", "customer": "boitumelo-8807", "name": "Boitumelo's water",
    "metadata": {"at": "12 Marula Avenue"}, "currency": "ZAR", "balance": 0,
}  # fmt: skip
WORDS: Final = ["boitumelo", "Boitumelo", "radebe", "Radebe", "27825550177", "1988-07-30", "Marula"]
"""By any of which she would be recognised."""

SCREENS: Final = [
    "customers", "customers/{customer}", "customers/{customer}/statement", "customers/{customer}/unallocated",
    "customers/{customer}/entries", "accounts", "accounts/{account}/entries", "accounts/{account}/charges", "bills",
    "bills/B-1/entries", "payments", "payments/E-2/moves", "unallocated", "events", "audit", "reports/ageing",
    "reports/payments",
]  # fmt: skip
TABLES: Final = ["customers/{customer}/statement", "reports/ageing", "exports/entries", "exports/payments"]
BOOKS: Final = [
    "customers/{customer}/entries", "accounts/{account}/entries", "bills/B-1", "bills/B-1/entries", "payments/E-1",
    "payments/E-2", "reports/payments",
]  # fmt: skip


class Case:
    """What a merchant has about her, wherever the merchant may look, and wherever an intruder might."""

    def __init__(self, desk: Desk, database: Database) -> None:
        self.desk, self.database = desk, database
        customer, meter = lived(desk)
        self.ids = {"customer": customer["id"], "account": meter["id"]}

    def shown(self, paths: list[str]) -> dict[str, str]:
        """Give what a screen shows, of each path."""
        return {path: json.dumps(self.desk.sees(path.format(**self.ids))) for path in paths}

    def recognised(self) -> list[str]:
        """Name every place in which she can be recognised."""
        tables = {f"{path} as CSV": json.dumps(self.desk.table(path.format(**self.ids))) for path in TABLES}
        screens = self.shown(SCREENS) | tables
        found = [place for place, text in screens.items() if any(word in text for word in WORDS)]
        return found + sorted({table for word in WORDS for table in self.database.tables_with(word)})


def lived(desk: Desk) -> tuple[Json, Json]:
    """Have a customer with a meter, to whom a little of everything has happened, some of it wrong and put right."""
    answer = desk.client.post("/billing/customers", PERSON, Idempotency_Key="form-17")
    meter = desk.does("accounts", METER)
    desk.does("accounts/radebe-water/charges", {"amount": 4500})
    for bill in ("B-1", "B-2"):
        desk.does("bills", {"external_reference": bill, "account": "radebe-water", "currency": "ZAR", "amount_due": 90})
    desk.receives(100, bill="B-1", external_reference="E-1")
    desk.receives(2000, customer="boitumelo-8807", external_reference="E-2")
    desk.does("payments/E-2/moves", {"account": "radebe-water"}, "meant the water")
    desk.changes("customers/boitumelo-8807", {"balance": 26_000}, "misread")
    customer: Json = answer.json()
    return customer, meter


@pytest.fixture
def merchant(impatient: Service) -> Merchant:
    """A merchant of whom there is this one story."""
    return impatient.merchant("Kagiso Rates")


@pytest.fixture
def shop(impatient: Service, merchant: Merchant) -> Iterator[Shop]:
    opened = Shop(impatient.client(merchant.keys["sk_test"]))
    yield opened
    opened.close()


@pytest.fixture
def database(impatient: Service) -> Iterator[Database]:
    connected = Database(dsn_of(impatient))
    yield connected
    connected.close()


def test_she_is_gone_and_what_was_done_stays(
    impatient: Service, merchant: Merchant, shop: Shop, database: Database
) -> None:
    hook = shop.hook(events=["*"])
    case = Case(Desk(shop.client), database)
    before = case.shown(BOOKS)
    wait_until(lambda: hook.status["pending"] == 0, "all of it was told")
    assert {"customers", "events", "reports/ageing as CSV", "answer", "event"} <= {*case.recognised()}

    # She writes that she wants to be forgotten, and the clerk sees to it.
    signed = {"Owed-Actor": "thandi", "Owed-Reason": "letter 118"}
    answer = shop.client.send("POST", f"/billing/customers/{case.ids['customer']}/erase", headers=signed)
    assert answer.status == 200
    wait_until(lambda: hook.status["pending"] == 0, "that was told too")
    assert case.recognised() == []

    # What she owes and paid is as it was, to the last entry, and so are the books.
    assert case.shown(BOOKS) == before
    assert impatient.owed("verify", "--merchant", merchant.id, "--settle", "0")["payments"] == 2

    the_auditor_knows_who_did_what(case.desk, case.ids["customer"])
    a_program_that_asks_again_is_told_what_stands(shop, answer.json())
    a_receiver_that_is_told_again_hears_that_it_was_redacted(hook, answer.json())


def the_auditor_knows_who_did_what(desk: Desk, customer: str) -> None:
    log = desk.sees(f"audit?object={customer}")["data"]
    assert [(each["command"], each["actor"], each["reason"]) for each in log] == [
        ("customer.erase", "thandi", "letter 118"), ("customer.update", "thandi", "misread"),
    ]  # fmt: skip
    (move,) = desk.sees("audit?command=move.create")["data"]
    assert (move["actor"], move["reason"]) == ("thandi", "meant the water")


def a_program_that_asks_again_is_told_what_stands(shop: Shop, erased: Json) -> None:
    """The program that made her sends the same request with the same key: it is not done again, nor is she shown."""
    replay = shop.client.post("/billing/customers", PERSON, Idempotency_Key="form-17")
    assert (replay.status, replay.json(), replay.header("Idempotent-Replayed")) == (201, erased, "true")


def a_receiver_that_is_told_again_hears_that_it_was_redacted(hook: Hook, erased: Json) -> None:
    first, *others = hook.ear.about(erased)
    event = json.loads(first.body)["id"]
    assert hook.client.send("POST", f"/billing/events/{event}/redeliver").status == 202
    wait_until(lambda: len(hook.ear.about(erased)) > 1 + len(others), "it comes again")

    again = hook.ear.about(erased)[-1]
    assert verifies(hook.secret, again)
    kept = {name: erased[name] for name in ("id", "external_reference", "currency")}
    assert json.loads(again.body) == {
        "id": event, "type": "customer.created", "redacted": True, "data": kept | {"balance": 30_000},
    }  # fmt: skip
