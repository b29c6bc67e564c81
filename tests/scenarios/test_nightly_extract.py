"""A billing office whose accounting system knows the balances, and sends them every night, hours after the fact."""

from collections.abc import Iterator

import pytest

from tests.contract.client import Client, Json
from tests.contract.samples import OPEN_RULES, a_key
from tests.contract.service import Service

METER = "/billing/accounts/WATER-12"


@pytest.fixture
def office(service: Service) -> Iterator[Client]:
    """The office of a merchant of the test's own, which has one meter with 500 rand owed on it."""
    caller = service.client(service.merchant("Umzinto Water").keys["sk_test"])
    customer: Json = {"external_reference": "NOMSA", "name": "Nomsa Dlamini"}
    meter = {"external_reference": "WATER-12", "currency": "ZAR", "balance": 50_000, "payment_rules": OPEN_RULES}
    assert caller.post("/billing/accounts", meter | {"customer": customer}).status == 201
    yield caller
    books = service.owed("verify", "--merchant", next(iter(merchant_ids(service, "Umzinto Water"))), "--settle", "0")
    assert books["transfers"] > 0


def merchant_ids(service: Service, name: str) -> list[str]:
    return [merchant["id"] for merchant in service.owed("merchants", "list") if merchant["name"] == name]


def balance(office: Client) -> int:
    return int(office.get(METER).json()["balance"])


def pays(office: Client, amount: int, channel: str = "retail") -> Json:
    body = {"account": "WATER-12", "amount": amount, "currency": "ZAR", "channel": channel}
    answer = office.post("/billing/payments", body, Idempotency_Key=a_key())
    assert answer.status == 201, answer.body
    payment: Json = answer.json()
    return payment


def newest_entry(office: Client) -> Json:
    entry: Json = office.get(f"{METER}/entries?limit=1").json()["data"][0]
    return entry


def test_the_morning_s_payments_survive_the_night_s_extract(office: Client) -> None:
    # Nomsa pays 200 in the evening. The accounting system takes it in, and writes its extract at midnight.
    pays(office, 20_000)
    as_of = newest_entry(office)["recorded_at"]
    extract = {"balance": 30_000 + 15_000, "balance_as_of": as_of}  # with this month's water

    # Before it arrives she pays another 100 at the shop, and is given 20 back for a reading that was wrong.
    morning = pays(office, 10_000)
    refund = office.post(f"/billing/payments/{morning['id']}/refunds", {"amount": 2000}, Idempotency_Key=a_key())
    assert refund.status == 201

    # The extract comes at nine. Nothing of the morning is lost, and the office is told what was added to its number.
    answer = office.patch(METER, extract)
    assert (answer.json()["balance"], answer.headers["Owed-Balance-Reapplied"]) == (37_000, "2")

    # It comes again by mistake, after one more payment: that one is not lost either, and nothing counts twice.
    pays(office, 5000)
    answer = office.patch(METER, extract)
    assert (answer.json()["balance"], answer.headers["Owed-Balance-Reapplied"]) == (32_000, "3")

    # Without the time, it would have been.
    assert office.patch(METER, {"balance": extract["balance"]}).json()["balance"] == 45_000


def test_an_office_that_subtracts_payments_itself_never_sees_one_count_twice(office: Client) -> None:
    assert office.patch("/billing/settings", {"payments_reduce_balance": False}).status == 200

    # Nomsa pays 200. Here the balance stays, for the accounting system will send what is left.
    payment = pays(office, 20_000)
    assert balance(office) == 50_000
    assert office.patch(METER, {"balance": 30_000}).json()["balance"] == 30_000

    # Her bank takes it back a week later, and that too is for the accounting system to add.
    bounced = {"reason": "dishonoured"}
    path = f"/billing/payments/{payment['id']}/reversals"
    assert office.post(path, bounced, Idempotency_Key=a_key()).status == 201
    assert balance(office) == 30_000

    # The ledger has all of it.
    causes = [entry["cause"] for entry in office.get(f"{METER}/entries").json()["data"]]
    assert causes == ["passed_on", "reversal", "balance_set", "passed_on", "payment", "opening"]


def test_a_clerk_finds_the_payment_that_was_keyed_in_twice(office: Client) -> None:
    # Two clerks key in the same slip within a minute of each other; neither has a reference on it.
    first, second = pays(office, 20_000), pays(office, 20_000)
    pays(office, 20_000, channel="mobile_money")
    assert second["possible_duplicate_of"] == first["id"]

    # In the evening the office looks through what may be doubled, and takes the second back as an error.
    doubtful = office.get("/billing/payments?possible_duplicates=true").json()["data"]
    assert [payment["id"] for payment in doubtful] == [second["id"]]
    path = f"/billing/payments/{second['id']}/reversals"
    assert office.post(path, {"reason": "error"}, Idempotency_Key=a_key()).status == 201
    assert balance(office) == 10_000
