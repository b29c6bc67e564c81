"""1.8: Owed-Actor and Owed-Reason."""

import pytest

from tests.contract.client import Client
from tests.contract.samples import CUSTOMERS, a_customer, a_key, a_request, at, create
from tests.contract.service import Database

RECORDED = "SELECT actor, reason FROM attribution WHERE object_id = $1 ORDER BY recorded_at, id"


def test_who_did_it_and_why_is_recorded(client: Client, database: Database) -> None:
    """1.8: recorded with every transfer and in the audit log."""
    made = client.post(
        CUSTOMERS, a_request(currency="ZAR", balance=5), Owed_Actor="mary@acme", Owed_Reason="Import of May"
    )
    customer = made.json()
    client.patch(at(customer), {"balance": 9}, Owed_Actor="john", Owed_Reason="Correction; see #12")
    recorded = [tuple(row) for row in database.rows(RECORDED, customer["id"])]
    assert recorded == [("mary@acme", "Import of May"), ("john", "Correction; see #12")]


def test_a_change_of_no_money_is_recorded_too(client: Client, database: Database) -> None:
    customer = a_customer(client)
    client.patch(at(customer), {"name": "New"}, Owed_Actor="john")
    assert ("john", None) in [tuple(row) for row in database.rows(RECORDED, customer["id"])]


def test_both_are_optional(client: Client) -> None:
    """1.8: optional."""
    assert client.post(CUSTOMERS, a_request(), Owed_Actor="mary").status == 201
    assert client.post(CUSTOMERS, a_request(), Owed_Reason="why not").status == 201


def test_neither_is_interpreted(client: Client, database: Database) -> None:
    """1.8: never interpreted: kept as it came, and shown nowhere in the customer."""
    actor = """<b>"x"</b>'; DROP TABLE customer; -- %s {}"""
    plain, made = create(client).json(), client.post(CUSTOMERS, a_request(), Owed_Actor=actor)
    assert set(made.json()) == set(plain)
    assert database.rows(RECORDED, made.json()["id"])[0]["actor"] == actor


@pytest.mark.parametrize("header", ["Owed-Actor", "Owed-Reason"])
def test_each_has_up_to_255_characters(client: Client, header: str) -> None:
    """1.8: up to 255 printable characters."""
    path = at(a_customer(client, name="Old"))
    assert client.patch(path, {"name": "New"}, **{header: "x" * 255}).status == 200
    answer = client.patch(path, {"name": "Newer"}, **{header: "x" * 256})
    assert (answer.status, answer.code, answer.pointers) == (400, "invalid_request", [f"header: {header}"])
    assert client.get(path).json()["name"] == "New"


@pytest.mark.parametrize("header", ["Owed-Actor", "Owed-Reason"])
@pytest.mark.parametrize("value", ["a\tb", "a\x7fb", "a\x01b", "a\x1bb"])
def test_each_is_printable(client: Client, header: str, value: str) -> None:
    """1.8: printable characters only (a server may refuse a control character before it reads the request)."""
    path = at(a_customer(client, name="Old"))
    assert client.patch(path, {"name": "New"}, **{header: value}).status == 400
    client.close()
    assert client.get(path).json()["name"] == "Old"


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_both_faults_are_named_beside_those_of_the_body(client: Client, method: str) -> None:
    """1.5: every fault found, not only the first."""
    path = CUSTOMERS if method == "POST" else at(a_customer(client))
    send = client.post if method == "POST" else client.patch
    answer = send(
        path, a_request(name=5) if method == "POST" else {"name": 5}, Owed_Actor="x" * 256, Owed_Reason="x" * 256
    )
    assert set(answer.pointers) == {"header: Owed-Actor", "header: Owed-Reason", "/name"}


def test_a_replay_records_nothing_more(client: Client, database: Database) -> None:
    key, request = a_key(), a_request()
    made = client.post(CUSTOMERS, request, Idempotency_Key=key, Owed_Actor="mary").json()
    client.post(CUSTOMERS, request, Idempotency_Key=key, Owed_Actor="john")
    assert [row["actor"] for row in database.rows(RECORDED, made["id"])] == ["mary"]
