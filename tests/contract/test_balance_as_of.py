"""2: PATCH of `balance` with `balance_as_of`: what was recorded since is applied on top."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.client import JSON, MERGE_PATCH, Answer, Client, Json
from tests.contract.samples import (
    ACCOUNT,
    CUSTOMER,
    EVERY_BALANCE,
    LARGEST,
    OPEN_RULES,
    PAYMENTS,
    Noun,
    a_key,
    a_payment,
    at,
    entries,
    on,
)
from tests.contract.service import Database, Service

HEADER = "Owed-Balance-Reapplied"
EARLY = "2020-01-01T00:00:00Z"


def payable(client: Client, noun: Noun, balance: int | None = 1000) -> Json:
    return noun.make(
        client, currency="ZAR", payment_rules=OPEN_RULES, **({} if balance is None else {"balance": balance})
    )


def latest(client: Client, thing: Json) -> str:
    """Give when the latest entry of something was recorded: the time of an extract that knows of all of them."""
    return str(entries(client, thing)[0]["recorded_at"])


def extract(client: Client, thing: Json, balance: int, as_of: str, **headers: str) -> Answer:
    return client.patch(at(thing), {"balance": balance, "balance_as_of": as_of}, **headers)


def taken(answer: Answer, balance: int, reapplied: int) -> None:
    assert (answer.status, answer.json().get("balance")) == (200, balance), answer.body
    assert answer.headers[HEADER] == str(reapplied)


@EVERY_BALANCE
def test_what_was_recorded_after_the_time_is_applied_on_top_and_counted(client: Client, noun: Noun) -> None:
    thing = payable(client, noun)
    a_payment(client, 200, **on(thing))
    as_of = latest(client, thing)
    a_payment(client, 300, **on(thing))
    refunded = a_payment(client, 50, **on(thing))
    assert client.post(f"{at(refunded)}/refunds", {"amount": 20}, Idempotency_Key=a_key()).status == 201
    taken(extract(client, thing, 5000, as_of), 5000 - 300 - 50 + 20, 3)
    assert client.get(at(thing)).json()["balance"] == 4670
    assert next((each["cause"], each["total_after"]) for each in entries(client, thing)) == ("balance_set", 4670)


@EVERY_BALANCE
def test_what_was_recorded_at_the_time_is_in_the_new_balance_already(client: Client, noun: Noun) -> None:
    thing = payable(client, noun)
    a_payment(client, 200, **on(thing))
    taken(extract(client, thing, 800, latest(client, thing)), 800, 0)


@EVERY_BALANCE
def test_what_replaced_the_balance_since_is_itself_replaced(client: Client, noun: Noun) -> None:
    thing = payable(client, noun)
    a_payment(client, 100, **on(thing))
    assert client.patch(at(thing), {"balance": 7}).status == 200
    a_payment(client, 30, **on(thing))
    taken(extract(client, thing, 2000, EARLY), 1870, 2)


@EVERY_BALANCE
def test_the_same_extract_twice_changes_nothing_the_second_time(client: Client, noun: Noun) -> None:
    thing = payable(client, noun)
    as_of = latest(client, thing)
    a_payment(client, 100, **on(thing))
    taken(extract(client, thing, 1500, as_of), 1400, 1)
    before = client.get(at(thing)).headers["ETag"]
    taken(extract(client, thing, 1500, as_of), 1400, 1)
    assert client.get(at(thing)).headers["ETag"] == before


@EVERY_BALANCE
def test_a_first_balance_gets_what_was_paid_before_there_was_one(client: Client, noun: Noun) -> None:
    thing = payable(client, noun, balance=None)
    a_payment(client, 100, **on(thing))
    taken(extract(client, thing, 1000, EARLY), 900, 1)


def test_nothing_on_record_is_nothing_to_apply(client: Client) -> None:
    thing = ACCOUNT.make(client, currency="ZAR")
    taken(extract(client, thing, 1000, EARLY), 1000, 0)


@pytest.mark.parametrize("media_type", [JSON, MERGE_PATCH])
def test_a_replay_says_the_same(client: Client, media_type: str) -> None:
    thing, key = payable(client, CUSTOMER), a_key()
    a_payment(client, 100, **on(thing))
    first = extract(client, thing, 1000, EARLY, Idempotency_Key=key, Content_Type=media_type)
    a_payment(client, 100, **on(thing))
    again = extract(client, thing, 1000, EARLY, Idempotency_Key=key, Content_Type=media_type)
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert [answer.headers[HEADER] for answer in (first, again)] == ["1", "1"]
    assert client.get(at(thing)).json()["balance"] == 800


def test_without_a_time_nothing_is_reapplied_and_no_header_says_so(client: Client) -> None:
    thing = payable(client, ACCOUNT)
    a_payment(client, 100, **on(thing))
    answer = client.patch(at(thing), {"balance": 1000})
    assert (answer.json()["balance"], HEADER in answer.headers) == (1000, False)


@EVERY_BALANCE
@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"balance_as_of": EARLY}, "/balance_as_of"),
        ({"balance_as_of": EARLY, "balance": None}, "/balance_as_of"),
        ({"balance_as_of": "2999-01-01T00:00:00Z", "balance": 1}, "/balance_as_of"),
        ({"balance_as_of": "1969-12-31T23:59:59Z", "balance": 1}, "/balance_as_of"),
        ({"balance_as_of": "2026-01-31", "balance": 1}, "/balance_as_of"),
        ({"balance_as_of": 1, "balance": 1}, "/balance_as_of"),
        ({"balance_as_of": EARLY, "balance": "1"}, "/balance"),
    ],
)
def test_a_time_that_is_none_or_of_no_balance_is_refused(
    client: Client, noun: Noun, members: Json, pointer: str
) -> None:
    thing = payable(client, noun)
    answer = client.patch(at(thing), members)
    assert (answer.status, answer.code, answer.pointers) == (400, "invalid_request", [pointer]), answer.body
    assert client.get(at(thing)).json() == thing


@EVERY_BALANCE
def test_a_null_time_counts_as_not_given_and_a_merge_patch_refuses_it(client: Client, noun: Noun) -> None:
    thing = payable(client, noun)
    assert client.patch(at(thing), {"balance": 5, "balance_as_of": None}).json()["balance"] == 5
    answer = client.merge(at(thing), {"balance": 5, "balance_as_of": None})
    assert (answer.status, answer.pointers) == (400, ["/balance_as_of"])


@EVERY_BALANCE
def test_a_new_object_has_no_balance_of_an_earlier_time(client: Client, noun: Noun) -> None:
    answer = noun.create(client, currency="ZAR", balance=1, balance_as_of=EARLY)
    assert (answer.status, answer.pointers) == (400, ["/balance_as_of"])


@EVERY_BALANCE
def test_a_balance_that_would_go_beyond_its_bounds_is_a_conflict(client: Client, noun: Noun) -> None:
    thing = payable(client, noun)
    a_payment(client, 100, **on(thing))
    answer = extract(client, thing, -LARGEST, EARLY)
    assert (answer.status, answer.code, answer.pointers) == (409, "conflict", ["/balance"])
    taken(extract(client, thing, 100 - LARGEST, EARLY), -LARGEST, 1)


@EVERY_BALANCE
def test_the_order_of_refusals_is_kept(client: Client, noun: Noun) -> None:
    thing = payable(client, noun)
    assert client.patch(f"{noun.path}/nobody", {"balance": 1, "balance_as_of": EARLY}).status == 404
    assert extract(client, thing, 1, EARLY, If_Match='"99"').status == 412
    assert extract(client, thing, 1, EARLY, If_Match=client.get(at(thing)).headers["ETag"]).status == 200


@EVERY_BALANCE
def test_another_merchant_s_entries_are_never_counted(client: Client, other: Client, noun: Noun) -> None:
    mine = payable(client, noun)
    theirs = noun.make(other, external_reference=mine["external_reference"], currency="ZAR", payment_rules=OPEN_RULES)
    a_payment(other, 100, **on(theirs))
    by_reference = client.patch(f"{noun.path}/{mine['external_reference']}", {"balance": 9, "balance_as_of": EARLY})
    taken(by_reference, 9, 0)


def test_a_nightly_extract_loses_none_of_the_payments_of_that_morning(
    two_workers: Service, client: Client, database: Database
) -> None:
    """Through two workers, all at once: whatever commits first, the last balance counts each payment once."""
    thing = payable(client, ACCOUNT, 100_000)
    as_of = latest(client, thing)
    caller = two_workers.client(client.key, timeout=60)

    def step(number: int) -> Answer:
        if number % 4:
            body = {"amount": number, "currency": "ZAR", **on(thing)}
            return caller.post(PAYMENTS, body, Idempotency_Key=a_key())
        return extract(caller, thing, 50_000, as_of)

    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(step, range(200)))
    caller.close()

    assert {answer.status for answer in answers} == {200, 201}
    for answer in answers[::4]:
        assert_no_payment_is_lost(answer, database, thing)
    paid = sum(number for number in range(200) if number % 4)
    taken(extract(client, thing, 50_000, as_of), 50_000 - paid, 150)


def assert_no_payment_is_lost(answer: Answer, database: Database, thing: Json) -> None:
    """Expect that a balance is the extract's less just so many of the first payments as its header counts."""
    sql = "SELECT amount FROM transfer WHERE obligation_id = $1 AND cause = 'payment' ORDER BY version"
    moved: list[Any] = [row["amount"] for row in database.rows(sql, thing["id"])]
    counted = int(answer.headers[HEADER])
    assert json.loads(answer.body)["balance"] == 50_000 + sum(moved[:counted])
