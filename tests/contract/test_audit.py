"""1.8: who did what: GET /billing/audit."""

from typing import Any

import pytest

from tests.contract.client import Client, Json
from tests.contract.samples import (
    CUSTOMERS,
    PAYMENTS,
    SETTINGS,
    a_bill,
    a_customer,
    a_key,
    a_payment,
    a_request,
    at,
    on,
)
from tests.contract.service import Merchant, Service

AUDIT = "/billing/audit"
ENDPOINTS = "/billing/webhook_endpoints"
URL = "https://example.com/hook"


@pytest.fixture(scope="module")
def mine(service: Service, fresh_merchant: Merchant) -> Client:
    """A caller whose merchant nobody else changes."""
    return service.client(fresh_merchant.keys["sk_test"])


def records(client: Client, **filters: Any) -> list[Json]:
    """Read the newest records that pass the filters."""
    query = "&".join(f"{name}={value}" for name, value in {"limit": 100, **filters}.items())
    answer = client.get(f"{AUDIT}?{query}")
    assert answer.status == 200, answer.body
    found: list[Json] = answer.json()["data"]
    return found


def commands(client: Client, **filters: Any) -> list[str]:
    return [record["command"] for record in records(client, **filters)]


def test_a_record_says_who_did_what_with_which_key_and_why(client: Client) -> None:
    customer = a_customer(client, currency="ZAR", balance=5)
    client.patch(at(customer), {"balance": 9}, Owed_Actor="john@acme", Owed_Reason="misread")
    (record,) = records(client, object=customer["id"])

    assert record.pop("id").startswith("att_")
    assert record.pop("key_id").startswith("key_")
    assert record.pop("recorded_at").endswith("Z")
    assert record == {
        "command": "customer.update", "object_id": customer["id"], "actor": "john@acme", "reason": "misread",
    }  # fmt: skip


def test_what_nobody_signed_says_only_the_key(client: Client) -> None:
    customer = a_customer(client, currency="ZAR", balance=5)
    client.patch(at(customer), {"balance": 9})

    assert set(records(client, object=customer["id"])[0]) == {"id", "recorded_at", "command", "object_id", "key_id"}


def corrected(client: Client) -> str:
    bill = a_bill(client)
    client.patch(at(bill), {"amount_paid": 10})
    return str(bill["id"])


def voided(client: Client) -> str:
    bill = a_bill(client)
    client.send("POST", f"{at(bill)}/void")
    return str(bill["id"])


def ruled(client: Client) -> str:
    customer = a_customer(client)
    client.patch(at(customer), {"payment_rules": {**customer["payment_rules"], "min_amount": 7}})
    return str(customer["id"])


def refunded(client: Client) -> str:
    payment = a_payment(client, **on(a_bill(client)))
    made: Json = client.post(f"{PAYMENTS}/{payment['id']}/refunds", {}, Idempotency_Key=a_key()).json()
    return str(made["id"])


def reversed_(client: Client) -> str:
    payment = a_payment(client, **on(a_bill(client)))
    given = {"reason": "dishonoured"}
    made: Json = client.post(f"{PAYMENTS}/{payment['id']}/reversals", given, Idempotency_Key=a_key()).json()
    return str(made["id"])


def configured(client: Client) -> str:
    client.patch(SETTINGS, {"time_zone": "Africa/Lagos"})
    client.patch(SETTINGS, {"time_zone": "UTC"})
    return "settings"


@pytest.mark.parametrize(
    ("do", "command"),
    [
        (corrected, "bill.update"),
        (voided, "bill.void"),
        (ruled, "customer.update"),
        (refunded, "refund.create"),
        (reversed_, "reversal.create"),
        (configured, "settings.update"),
    ],
)
def test_what_puts_money_right_or_sets_rules_is_there_signed_or_not(mine: Client, do: Any, command: str) -> None:
    assert commands(mine, object=do(mine))[0] == command


def test_what_the_ledger_and_the_events_tell_is_not_there_again(client: Client) -> None:
    customer = a_customer(client, currency="ZAR", balance=500)
    client.patch(at(customer), {"name": "New"})
    payment = a_payment(client, **on(customer))

    assert [*records(client, object=customer["id"]), *records(client, object=payment["id"])] == []


def test_whatever_is_signed_is_there(client: Client) -> None:
    made = client.post(CUSTOMERS, a_request(currency="ZAR"), Owed_Actor="mary").json()
    paid = client.post(
        PAYMENTS, {"amount": 5, "currency": "ZAR", **on(made)}, Idempotency_Key=a_key(), Owed_Reason="at the till"
    ).json()

    assert commands(client, object=made["id"]) == ["customer.create"]
    assert commands(client, object=paid["id"]) == ["payment.create"]


def test_all_that_is_done_to_a_webhook_endpoint_is_there(client: Client) -> None:
    made = client.post(ENDPOINTS, {"url": URL}).json()
    path = f"{ENDPOINTS}/{made['id']}"
    client.patch(path, {"enabled": False})
    client.patch(path, {"enabled": True, "backlog": "resume"})
    client.send("POST", f"{path}/rotate-secret")
    client.send("DELETE", path)

    assert commands(client, object=made["id"]) == [
        "webhook_endpoint.delete", "webhook_endpoint.rotate_secret", "webhook_endpoint.update",
        "webhook_endpoint.update", "webhook_endpoint.create",
    ]  # fmt: skip


def test_what_was_refused_or_changed_nothing_is_not_there(client: Client) -> None:
    customer = a_customer(client, currency="ZAR", balance=5)
    client.patch(at(customer), {"balance": 9, "currency": "EUR"}, Owed_Actor="john")
    client.patch(at(customer), {"balance": 5}, Owed_Actor="john")

    assert records(client, object=customer["id"]) == []


def test_a_merchant_and_its_keys_are_there_from_the_start(service: Service) -> None:
    """The command line acts for both modes: each tells of what concerns it."""
    merchant = service.merchant("Audited")
    key = service.key(merchant, mode="live", name="till")
    service.run("keys", "revoke", key["id"])
    live, test = (service.client(merchant.keys[kind]) for kind in ("sk", "sk_test"))

    assert commands(live) == ["key.revoke", *["key.create"] * 3, "merchant.create"]
    assert commands(test) == [*["key.create"] * 2, "merchant.create"]
    assert commands(live, object=key["id"]) == ["key.revoke", "key.create"]
    assert {(record["key_id"], bool(record["actor"])) for record in records(live)} == {("cli", True)}


def test_the_filters_all_hold_at_once(mine: Client) -> None:
    for number, actor in enumerate(("ann", "ben", "ann")):
        for balance in (number, number + 10):
            mine.patch(at(a_customer(mine, currency="ZAR", balance=99)), {"balance": balance}, Owed_Actor=actor)
    bill = a_bill(mine)
    mine.patch(at(bill), {"amount_paid": 10}, Owed_Actor="ann")
    everything = records(mine)
    key = everything[0]["key_id"]

    assert [len(records(mine, actor=who)) for who in ("ann", "ben", "nobody")] == [5, 2, 0]
    assert commands(mine, actor="ann", command="bill.update") == ["bill.update"]
    assert commands(mine, actor="ben", command="bill.update", key=key) == []
    assert commands(mine, actor="ann", command="bill.update", key=key, object=bill["id"]) == ["bill.update"]
    assert records(mine, key=key) == [record for record in everything if record["key_id"] == key]
    assert records(mine, key="cli") == [record for record in everything if record["key_id"] == "cli"]


def test_times_are_exclusive_bounds(mine: Client) -> None:
    first, middle, last = (corrected(mine) for _ in range(3))
    times = {each: records(mine, object=each)[0]["recorded_at"] for each in (first, middle, last)}
    between = records(mine, recorded_after=times[first], recorded_before=times[last])

    assert [record["object_id"] for record in between] == [middle]
    assert records(mine, object=middle, recorded_after=times[middle]) == []


def test_pages_lead_through_all_of_it_both_ways(mine: Client) -> None:
    for _ in range(5):
        corrected(mine)
    everything = [record["id"] for record in records(mine, command="bill.update")]
    assert everything == sorted(everything, reverse=True)
    pages, answer = [], mine.get(f"{AUDIT}?command=bill.update&limit=2")
    while True:
        pages.append([record["id"] for record in answer.json()["data"]])
        cursor = answer.headers.get("Next-Cursor")
        if cursor is None:
            break
        answer = mine.get(f"{AUDIT}?command=bill.update&limit=2&cursor={cursor}")
    assert [each for page in pages for each in page] == everything
    back = mine.get(f"{AUDIT}?command=bill.update&limit=2&cursor={answer.header('Prev-Cursor')}").json()["data"]
    assert [record["id"] for record in back] == pages[-2]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("command=everything", "query: command"),
        ("actor=", "query: actor"),
        ("key=a%20b", "query: key"),
        ("object=%00", "query: object"),
        ("recorded_after=yesterday", "query: recorded_after"),
        ("limit=0", "query: limit"),
        ("cursor=x", "query: cursor"),
        ("occurred_after=2026-01-01T00:00:00Z", "query: occurred_after"),
    ],
)
def test_a_parameter_that_is_wrong_is_named(client: Client, query: str, pointer: str) -> None:
    answer = client.get(f"{AUDIT}?{query}")

    assert (answer.status, answer.pointers) == (400, [pointer])


def test_nobody_reads_the_log_of_another(client: Client, live: Client, other: Client, public: Client) -> None:
    customer = a_customer(client, currency="ZAR", balance=5)
    client.patch(at(customer), {"balance": 9}, Owed_Actor="john")

    assert records(live, object=customer["id"]) == records(other, object=customer["id"]) == []
    assert public.get(AUDIT).status == 403


def test_a_cursor_is_good_for_its_filters_alone(mine: Client) -> None:
    corrected(mine)
    corrected(mine)
    cursor = mine.get(f"{AUDIT}?limit=1").header("Next-Cursor")

    assert mine.get(f"{AUDIT}?limit=1&cursor={cursor}").status == 200
    assert mine.get(f"{AUDIT}?actor=ann&cursor={cursor}").status == 400
