"""6: POST and GET /billing/payments/{payment}/allocations and /moves: money that goes where it belongs."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    OPEN_RULES,
    PAYMENTS,
    a_bill,
    a_customer,
    a_key,
    a_payment,
    a_reference,
    as_it_stands,
    entries,
    events,
    moment,
    refused,
    transfers,
)
from tests.contract.service import Database

BOTH = pytest.mark.parametrize("noun", ["allocations", "moves"])


def aside(client: Client, amount: int = 1000) -> Json:
    """Receive money that fits nothing."""
    return a_payment(client, amount, received=True)


def change(client: Client, payment: Json, noun: str, *, key: str | None = None, **members: Any) -> Answer:
    return client.post(f"{PAYMENTS}/{payment['id']}/{noun}", members, Idempotency_Key=key or a_key())


def changed(client: Client, payment: Json, noun: str, **members: Any) -> Json:
    answer = change(client, payment, noun, **members)
    assert answer.status == 201, answer.body
    made: Json = answer.json()
    return made


def test_an_allocation_is_all_that_the_contract_says(client: Client, database: Database) -> None:
    payment, bill, reference = aside(client, 1500), a_bill(client), a_reference()
    answer = change(
        client,
        payment,
        "allocations",
        bill=bill["id"],
        reason="advice",
        external_reference=reference,
        metadata={"k": "v"},
    )
    allocation, after = answer.json(), as_it_stands(client, payment)
    (application,) = after["applications"]

    assert answer.header("Location") == f"{PAYMENTS}/{payment['id']}/allocations/{allocation['id']}"
    assert allocation == {
        "id": allocation["id"],
        "payment_id": payment["id"],
        "amount": 1000,
        "currency": "ZAR",
        "applications": [{"id": application["id"], "amount": 1000, "bill_id": bill["id"]}],
        "reason": "advice",
        "external_reference": reference,
        "metadata": {"k": "v"},
        "created_at": allocation["created_at"],
    }
    assert application == allocation["applications"][0] | {"allocation_id": allocation["id"]}
    assert (after["amount_unallocated"], after["status"]) == (500, "succeeded")
    assert as_it_stands(client, bill)["status"] == "paid"
    assert transfers(database, payment)[-1] == ("allocation", "unallocated", "reallocation", 1000, -500, "ZAR")
    assert transfers(database, bill)[-1] == ("allocation", "reallocation", "receivable", -1000, 0, "ZAR")


def test_an_allocation_is_told_of_and_is_in_the_entries(client: Client, database: Database) -> None:
    payment, bill = aside(client), a_bill(client)
    allocation = changed(client, payment, "allocations", bill=bill["id"])
    told = events(database, bill)

    assert [kind for kind, _ in told] == ["bill.created", "obligation.amount_applied", "bill.paid"]
    assert told[1][1]["allocation_id"] == allocation["id"]
    assert moment(told[1][1]["created_at"]) == moment(allocation["created_at"])
    (entry, _) = entries(client, bill)
    assert (entry["cause"], entry["allocation_id"], entry["payment_id"]) == (
        "allocation", allocation["id"], payment["id"],
    )  # fmt: skip


def test_several_things_are_allocated_to_at_once_or_none(client: Client) -> None:
    payment, one, two = aside(client, 1500), a_bill(client), a_bill(client)
    parts = [{"bill": one["id"], "amount": 300}, {"bill": two["id"], "amount": 1200}]
    answer = change(client, payment, "allocations", applications=parts)

    assert (answer.status, answer.pointers, answer.json()["fits"]) == (409, ["/applications/1/amount"], 1000)
    assert as_it_stands(client, payment) == payment
    parts[1]["amount"] = 1000
    allocation = changed(client, payment, "allocations", applications=parts, amount=1300)
    assert [each["amount"] for each in allocation["applications"]] == [300, 1000]


def test_more_than_is_unallocated_is_refused(client: Client) -> None:
    payment, bill = aside(client, 100), a_bill(client)
    answer = change(client, payment, "allocations", bill=bill["id"], amount=101)

    refused(answer, 409, "/amount")
    assert answer.json()["fits"] == 100


def test_a_move_takes_misposted_money_to_where_it_belongs(client: Client, database: Database) -> None:
    wrong, right = a_bill(client), a_bill(client)
    payment = a_payment(client, 1000, bill=wrong["id"])
    (application,) = payment["applications"]
    move = changed(client, payment, "moves", application=application["id"], bill=right["id"], amount=900)
    after = as_it_stands(client, payment)

    assert move["from"] == {"id": application["id"], "amount": 900, "bill_id": wrong["id"]}
    assert move["to"] == {"id": after["applications"][1]["id"], "amount": 900, "bill_id": right["id"]}
    assert after["applications"] == [application | {"amount_taken_back": 900}, move["to"] | {"move_id": move["id"]}]
    assert [as_it_stands(client, each)["amount_paid"] for each in (wrong, right)] == [100, 900]
    assert transfers(database, wrong)[-1] == ("move", "receivable", "reallocation", 900, 900, "ZAR")
    assert transfers(database, right)[-1] == ("move", "reallocation", "receivable", -900, 100, "ZAR")
    assert [kind for kind, _ in events(database, wrong)][-1] == "obligation.amount_reversed"
    assert events(database, wrong)[-1][1]["move_id"] == events(database, right)[-1][1]["move_id"] == move["id"]
    assert (after["amount_refunded"], after["amount_reversed"], after["status"]) == (0, 0, "succeeded")


def test_the_credit_on_an_overpaid_bill_is_moved_off_it(client: Client) -> None:
    bill = a_bill(client, payment_rules=OPEN_RULES)
    payment = a_payment(client, 1200, bill=bill["id"])
    move = changed(client, payment, "moves", amount=200)
    after = as_it_stands(client, payment)

    assert "to" not in move
    assert (after["amount_unallocated"], after["unallocated_customer_id"]) == (200, bill["customer_id"])
    assert as_it_stands(client, bill)["amount_paid"] == 1000


def test_what_was_moved_away_is_held_no_more(client: Client) -> None:
    payment = a_payment(client, 1000, bill=a_bill(client)["id"])
    changed(client, payment, "moves")
    refund = client.post(f"{PAYMENTS}/{payment['id']}/refunds", {}, Idempotency_Key=a_key()).json()

    assert (refund["amount_unallocated"], refund["applications"]) == (1000, [])
    assert change(client, payment, "moves").status == 409
    assert change(client, payment, "allocations", bill=a_bill(client)["id"]).status == 409


@pytest.mark.parametrize(
    ("noun", "members", "pointer"),
    [
        ("allocations", {}, ""),
        ("allocations", {"bill": "a", "account": "b"}, "/account"),
        ("allocations", {"bill": "a", "amount": 0}, "/amount"),
        ("allocations", {"applications": []}, "/applications"),
        ("allocations", {"applications": [{"bill": "a", "amount": 1}], "amount": 2}, "/amount"),
        ("allocations", {"bill": "a", "occurred_at": "2026-01-01T00:00:00Z"}, "/occurred_at"),
        ("moves", {"bill": "a", "customer": "b"}, "/customer"),
        ("moves", {"application": 7}, "/application"),
        ("moves", {"from": "ob_1"}, "/from"),
    ],
    ids=str,
)
def test_what_is_wrong_in_form_is_refused(client: Client, noun: str, members: Json, pointer: str) -> None:
    refused(change(client, aside(client), noun, **members), 400, pointer)


def test_what_is_named_must_exist(client: Client) -> None:
    payment = a_payment(client, 1000, bill=a_bill(client)["id"])

    refused(change(client, payment, "moves", bill="nowhere"), 404, "/bill")
    refused(change(client, payment, "moves", application="ob_1"), 404, "/application")
    refused(change(client, aside(client), "allocations", customer="nobody"), 404, "/customer")
    answer = client.post(f"{PAYMENTS}/nowhere/moves", {}, Idempotency_Key=a_key())
    assert (answer.status, answer.code) == (404, "payment_not_found")


def test_which_application_is_moved_must_be_said_where_there_are_several(client: Client) -> None:
    parts = [{"bill": a_bill(client)["id"], "amount": 100} for _ in range(2)]
    payment = a_payment(client, 200, applications=parts)

    refused(change(client, payment, "moves"), 409, "/application")
    assert change(client, payment, "moves", application=payment["applications"][0]["id"]).status == 201


@BOTH
def test_each_needs_a_key_and_is_done_once(client: Client, noun: str, database: Database) -> None:
    payment = a_payment(client, 1000, received=True, bill=a_bill(client)["id"]) if noun == "moves" else aside(client)
    members: Json = {} if noun == "moves" else {"customer": a_customer(client, currency="ZAR")["id"]}
    key = a_key()
    first, again = (change(client, payment, noun, key=key, **members) for _ in range(2))

    assert (first.status, first.body, again.header("Idempotent-Replayed")) == (201, again.body, "true")
    refused(client.post(f"{PAYMENTS}/{payment['id']}/{noun}", members), 400, "header: Idempotency-Key")
    assert as_it_stands(client, payment)["applications"][-1].get("amount_taken_back", 0) in (0, 1000)
    assert len(database.rows(f"SELECT 1 FROM {noun[:-1]} WHERE payment_id = $1", payment["id"])) == 1


@BOTH
def test_each_is_retrieved_and_listed_under_its_payment(client: Client, noun: str) -> None:
    bill, other = a_bill(client, payment_rules=OPEN_RULES), aside(client)
    payment = a_payment(client, 1000, received=True, bill=bill["id"]) if noun == "moves" else aside(client)
    members: Json = {} if noun == "moves" else {"bill": bill["id"]}
    made = [changed(client, payment, noun, amount=n, external_reference=a_reference(), **members) for n in (1, 2)]
    path = f"{PAYMENTS}/{payment['id']}/{noun}"

    assert client.get(path).json() == {"data": made[::-1]}
    assert client.get(f"{path}?external_reference={made[0]['external_reference']}").json() == {"data": made[:1]}
    assert [client.get(f"{path}/{made[0][name]}").json() for name in ("id", "external_reference")] == [made[0]] * 2
    assert client.get(f"{PAYMENTS}/{other['id']}/{noun}/{made[0]['id']}").status == 404
    answer = change(client, payment, noun, external_reference=made[0]["external_reference"], **members)
    assert (answer.status, answer.json()[f"{noun[:-1]}_id"]) == (409, made[0]["id"])


@BOTH
def test_a_change_meant_for_another_version_of_the_payment_is_refused(client: Client, noun: str) -> None:
    payment = aside(client)
    answer = client.post(f"{PAYMENTS}/{payment['id']}/{noun}", {}, Idempotency_Key=a_key(), If_Match='"7"')

    assert (answer.status, answer.code) == (412, "precondition_failed")


def test_who_allocates_at_the_same_time_never_allocates_more_than_there_is(client: Client) -> None:
    payment, customer = aside(client, 1000), a_customer(client, currency="ZAR")
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: change(client, payment, "allocations", customer=customer["id"], amount=150), range(12))
        )

    assert sorted(answer.status for answer in answers) == [201] * 6 + [409] * 6
    assert as_it_stands(client, payment)["amount_unallocated"] == 100


def test_the_ledger_of_reallocated_money_comes_to_nothing(client: Client) -> None:
    payment = a_payment(client, 1000, received=True, bill=a_bill(client)["id"])
    changed(client, payment, "moves", amount=400)
    changed(client, payment, "allocations", bill=a_bill(client)["id"])
    lines = client.get("/billing/ledger/trial-balance").json()["data"]

    assert {line["total"] for line in lines if line["account"] == "reallocation"} == {0}
