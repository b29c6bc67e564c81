"""2: PATCH /billing/customers/{customer}."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.client import JSON, MERGE_PATCH, Answer, Client, Json
from tests.contract.samples import LARGEST, RULES, a_customer, a_reference, at, create
from tests.contract.service import Database

FULL = {
    "name": "John Doe",
    "email": "john@example.com",
    "phone": "+27123456789",
    "currency": "ZAR",
    "balance": 2000,
    "payment_rules": RULES,
    "metadata": {"a": "1", "b": "2"},
}
TRANSFERS = "SELECT amount, total_after, currency, cause FROM transfer WHERE obligation_id = $1 ORDER BY version"
EVENTS = "SELECT type, body FROM event WHERE object_id = $1 ORDER BY sequence"
BOTH = pytest.mark.parametrize("media_type", [JSON, MERGE_PATCH])


def refused(answer: Answer, status: int, code: str, *pointers: str) -> None:
    assert (answer.status, answer.code) == (status, code), answer.body
    assert set(answer.pointers) == set(pointers), answer.body


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("name", "Jane"),
        ("email", "jane@example.com"),
        ("phone", "+27999999999"),
        ("balance", -7),
        ("payment_rules", RULES | {"min_amount": 1}),
    ],
)
@BOTH
def test_only_the_given_members_change(client: Client, member: str, value: object, media_type: str) -> None:
    """2: PATCH 200; only the given members change."""
    customer = a_customer(client, **FULL)
    answer = client.patch(at(customer), {member: value}, Content_Type=media_type)
    assert (answer.status, answer.json()) == (200, customer | {member: value})
    assert client.get(at(customer)).json() == customer | {member: value}


def test_members_that_were_absent_can_be_set(client: Client) -> None:
    customer = a_customer(client)
    assert client.patch(at(customer), FULL).json() == customer | FULL


def test_a_patch_raises_one_event_that_shows_the_customer(client: Client, database: Database) -> None:
    """2: each write appends its event, `customer.updated`."""
    customer = a_customer(client)
    changed = client.patch(at(customer), {"name": "New"}).json()
    events = database.rows(EVENTS, customer["id"])
    body = json.loads(events[1]["body"])
    assert [event["type"] for event in events] == ["customer.created", "customer.updated"]
    assert changed in (body, body.get("data"))


# A PATCH that changes nothing


@pytest.mark.parametrize(
    "change",
    [
        {}, {"name": "John Doe"}, {"balance": 2000}, {"currency": "ZAR"}, {"currency": "ZAR", "balance": 2000},
        {"metadata": {}},
        {"metadata": {"a": "1"}}, {"payment_rules": RULES}, FULL, {"payment_rules": dict(reversed(RULES.items()))},
        {"metadata": {"b": "2", "a": "1"}},
    ],
)  # fmt: skip
@BOTH
def test_a_patch_that_changes_nothing_writes_nothing(
    client: Client, database: Database, change: dict[str, object], media_type: str
) -> None:
    """2: a PATCH that changes nothing writes nothing and raises no event."""
    created = create(client, **FULL)
    path, name = created.header("Location"), created.json()["id"]
    state = "SELECT row_to_json(customer)::text, xmin::text FROM customer WHERE id = $1"
    before = database.rows(state, name)
    answer = client.patch(path, change, Content_Type=media_type)
    assert (answer.status, answer.json(), answer.etag) == (200, created.json(), created.etag)
    assert answer.header("Last-Modified") == created.header("Last-Modified")
    assert database.rows(state, name) == before
    assert len(database.rows(EVENTS, name)) == 1
    assert len(database.rows(TRANSFERS, name)) == 1
    assert database.value("SELECT count(*) FROM attribution WHERE object_id = $1", name) <= 1


@pytest.mark.parametrize("member", ["name", "email", "phone", "payment_rules"])
def test_clearing_what_is_not_there_writes_nothing(client: Client, member: str) -> None:
    created = create(client)
    path = created.header("Location")
    client.merge(path, {"payment_rules": None})
    before = client.get(path)
    answer = client.merge(path, {member: None, "metadata": {"never": None}})
    assert (answer.status, answer.json(), answer.etag) == (200, before.json(), before.etag)


# Read-only members


@BOTH
def test_a_client_may_send_back_what_it_got(client: Client, media_type: str) -> None:
    """1.1: a read-only member is accepted in a PATCH where it equals what stands."""
    created = create(client, **FULL)
    answer = client.patch(created.header("Location"), created.json() | {"name": "New"}, Content_Type=media_type)
    assert (answer.status, answer.json()) == (200, created.json() | {"name": "New"})


@pytest.mark.parametrize("member", ["id", "external_reference"])
@BOTH
def test_a_read_only_member_that_differs_is_400(client: Client, member: str, media_type: str) -> None:
    """1.1, 2: where it differs: 400 for one that never changes (`id`, `external_reference`)."""
    customer = a_customer(client, name="Old")
    others: Json = {"id": a_customer(client)["id"], "external_reference": a_reference()}
    values: list[object] = [others[member], customer[member].swapcase(), customer[member] + "x", "", 5, True, []]
    for value in values:
        answer = client.patch(at(customer), {member: value, "name": "New"}, Content_Type=media_type)
        refused(answer, 400, "invalid_request", f"/{member}")
    assert client.get(at(customer)).json() == customer


# Balance and currency


def test_a_balance_replaces_the_old_one_and_transfers_the_difference(client: Client, database: Database) -> None:
    """2: `balance` replaces the old value; its transfer is the difference from the running total."""
    customer = a_customer(client, currency="ZAR", balance=2000)
    for balance in (500, -300, 0, LARGEST, -LARGEST, 7):
        assert client.patch(at(customer), {"balance": balance}).json()["balance"] == balance
    assert [tuple(row) for row in database.rows(TRANSFERS, customer["id"])] == [
        (2000, 2000, "ZAR", "opening"),
        (-1500, 500, "ZAR", "balance_set"),
        (-800, -300, "ZAR", "balance_set"),
        (300, 0, "ZAR", "balance_set"),
        (LARGEST, LARGEST, "ZAR", "balance_set"),
        (-2 * LARGEST, -LARGEST, "ZAR", "balance_set"),
        (LARGEST + 7, 7, "ZAR", "balance_set"),
    ]


def test_a_balance_needs_a_currency_also_in_a_patch(client: Client) -> None:
    """2: `balance` needs a `currency`: in the same request or already on the object, else 400."""
    customer = a_customer(client)
    answer = client.patch(at(customer), {"balance": 5})
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.pointers in (["/balance"], ["/currency"])
    assert client.get(at(customer)).json() == customer
    assert client.patch(at(customer), {"balance": 5, "currency": "USD"}).json() == customer | {
        "balance": 5,
        "currency": "USD",
    }
    assert client.patch(at(customer), {"balance": 6}).json()["balance"] == 6


def test_a_currency_that_no_money_uses_can_change(client: Client) -> None:
    path = at(a_customer(client, currency="ZAR"))
    assert client.patch(path, {"currency": "USD"}).json()["currency"] == "USD"
    assert client.patch(path, {"currency": "EUR", "balance": 1}).json()["currency"] == "EUR"


@pytest.mark.parametrize("balance", [2000, 0, -1])
def test_a_currency_that_money_already_uses_cannot_change(client: Client, balance: int) -> None:
    """2: a currency that money already uses (a balance has been tracked) cannot change (409 `conflict`)."""
    customer = a_customer(client, currency="ZAR", balance=balance)
    for change in ({"currency": "USD"}, {"currency": "USD", "balance": 5}, {"currency": "USD", "name": "New"}):
        refused(client.patch(at(customer), change), 409, "conflict", "/currency")
    assert client.get(at(customer)).json() == customer


def test_a_currency_stays_in_use_after_the_balance_returned_to_zero(client: Client) -> None:
    path = at(a_customer(client, currency="ZAR", balance=5))
    client.patch(path, {"balance": 0})
    refused(client.patch(path, {"currency": "USD"}), 409, "conflict", "/currency")


def test_the_same_currency_again_is_always_accepted(client: Client, database: Database) -> None:
    """2, 1.1: also where the standing value has left the active list: it is never checked again."""
    tracked, bare = a_customer(client, currency="ZAR", balance=5), a_customer(client, currency="ZAR")
    database.execute("UPDATE customer SET currency = 'DEM' WHERE id = ANY ($1)", [tracked["id"], bare["id"]])
    assert client.patch(at(tracked), {"currency": "DEM", "balance": 6}).json()["balance"] == 6
    assert client.patch(at(bare), {"currency": "DEM", "name": "x"}).json()["currency"] == "DEM"
    assert client.patch(at(bare), {"balance": 6}).json()["balance"] == 6
    refused(client.patch(at(a_customer(client)), {"currency": "DEM"}), 400, "invalid_request", "/currency")


def test_concurrent_balances_of_one_customer_are_all_in_its_ledger(client: Client, database: Database) -> None:
    """2: a new `balance` is absolute: the last one stands, and the transfers add up to it."""
    customer = a_customer(client, currency="ZAR", balance=0)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: client.patch(at(customer), {"balance": n}), range(1, 61)))
    assert {answer.status for answer in answers} == {200}
    assert [answer.json()["balance"] for answer in answers] == list(range(1, 61))
    transfers = database.rows(TRANSFERS, customer["id"])
    assert (
        sum(row["amount"] for row in transfers)
        == transfers[-1]["total_after"]
        == client.get(at(customer)).json()["balance"]
    )
    assert len(database.rows(EVENTS, customer["id"])) == 61


def test_a_refused_patch_changes_nothing_at_all(client: Client, database: Database) -> None:
    """1.5: a PATCH is done whole or not at all."""
    created = create(client, **FULL)
    path, name = created.header("Location"), created.json()["id"]
    for change in (
        {"name": "New", "balance": 1.5},
        {"name": "New", "currency": "USD"},
        {"name": "New", "surname": "x"},
    ):
        assert client.patch(path, change).status in (400, 409)
    got = client.get(path)
    assert (got.json(), got.etag) == (created.json(), created.etag)
    assert len(database.rows(EVENTS, name)) == 1
