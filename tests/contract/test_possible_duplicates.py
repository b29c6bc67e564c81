"""6: a payment that looks like one just before it is taken, and says so."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    ACCOUNT,
    BILL,
    CUSTOMER,
    EVERY_NOUN,
    KINDS,
    OPEN_RULES,
    PAYMENTS,
    SETTINGS,
    Noun,
    a_key,
    a_payment,
    a_reference,
    at,
    iso,
    on,
    owing,
    pay,
    refused,
)
from tests.contract.service import Database, Merchant, Service

FLAG = "possible_duplicate_of"
EARLIER = """
    UPDATE {table}
       SET recent_payments = (
           SELECT json_agg(payment || jsonb_build_object(
                      'recorded_at', (payment->>'recorded_at')::timestamptz - $2::interval))
             FROM jsonb_array_elements(recent_payments::jsonb) AS payment)
     WHERE id = $1
"""


@pytest.fixture(scope="module")
def merchant_of_doubles(service: Service) -> Merchant:
    return service.merchant("Doubles")


@pytest.fixture
def payer(service: Service, merchant_of_doubles: Merchant) -> Iterator[Client]:
    """A caller whose merchant has the settings of a new one at the start of each test."""
    caller = service.client(merchant_of_doubles.keys["sk_test"])
    yield caller
    assert caller.patch(SETTINGS, {"duplicate_minutes": 10, "payments_reduce_balance": True}).status == 200


def payable(client: Client, noun: Noun, amount: int = 1000) -> Json:
    return owing(client, noun, amount, payment_rules=OPEN_RULES)


def listed(client: Client, **query: Any) -> list[str]:
    answer = client.get(f"{PAYMENTS}?{urlencode({'limit': 100} | query)}")
    assert answer.status == 200, answer.body
    return [payment["id"] for payment in answer.json()["data"]]


def let_pass(database: Database, thing: Json, **how_long: float) -> None:
    """Have what an object was paid been paid so much earlier; no test waits so long."""
    table = KINDS[thing["id"][:4]]
    database.execute(EARLIER.format(table=table), thing["id"], timedelta(**how_long))


@EVERY_NOUN
def test_the_second_of_two_that_look_the_same_is_taken_and_names_the_first(client: Client, noun: Noun) -> None:
    thing = payable(client, noun)
    first = a_payment(client, 200, channel="retail", **on(thing))
    second = a_payment(client, 200, channel="retail", **on(thing))
    assert (FLAG in first, second[FLAG]) == (False, first["id"])
    assert client.get(at(second)).json() == second


def test_the_third_names_the_second(client: Client) -> None:
    thing = payable(client, BILL)
    _, second, third = [a_payment(client, 5, **on(thing)) for _ in range(3)]
    assert third[FLAG] == second["id"]


@pytest.mark.parametrize(
    "other", [{"amount": 201}, {"channel": "online"}, {"channel": None}, {"bill": "another"}], ids=str
)
def test_one_of_another_amount_channel_or_obligation_looks_different(client: Client, other: Json) -> None:
    thing = payable(client, BILL)
    same: Json = {"amount": 200, "channel": "retail", **on(thing)}
    a_payment(client, **same)
    if "bill" in other:
        other = on(payable(client, BILL))
    assert FLAG not in a_payment(client, **same | other)


def test_other_references_methods_and_times_of_payment_do_not_make_it_look_different(client: Client) -> None:
    thing = payable(client, ACCOUNT)
    first = a_payment(client, 7, method="eft", external_reference=a_reference(), **on(thing))
    paid_at = iso(datetime.now(UTC) - timedelta(days=3))
    second = a_payment(client, 7, method="card", paid_at=paid_at, external_reference=a_reference(), **on(thing))
    assert second[FLAG] == first["id"]


def test_it_is_the_obligation_that_counts_whatever_it_is_called(client: Client) -> None:
    thing = payable(client, CUSTOMER)
    first = a_payment(client, 7, customer=thing["external_reference"])
    assert a_payment(client, 7, **on(thing))[FLAG] == first["id"]


def test_of_several_applications_one_that_looks_the_same_is_enough_and_the_newest_counts(client: Client) -> None:
    bills = [payable(client, BILL) for _ in range(2)]
    older, newer = [a_payment(client, 70, **on(bill)) for bill in bills]
    parts = [{**on(bill), "amount": 70} for bill in bills]
    both = a_payment(client, 140, applications=parts)
    assert both[FLAG] == newer["id"]
    assert a_payment(client, 70, **on(bills[0]))[FLAG] == both["id"]
    assert FLAG not in a_payment(client, 71, **on(bills[1])), older


def test_a_payment_that_is_replayed_is_no_second_one(client: Client) -> None:
    thing, key = payable(client, BILL), a_key()
    body = {"amount": 5, "currency": "ZAR", **on(thing)}
    answers = [client.post(PAYMENTS, body, Idempotency_Key=key) for _ in range(2)]
    assert answers[0].body == answers[1].body
    assert FLAG not in answers[0].json()


def test_a_taken_reference_is_refused_and_names_the_payment(client: Client) -> None:
    thing, reference = payable(client, BILL), a_reference()
    first = a_payment(client, 5, external_reference=reference, **on(thing))
    again = pay(client, 5, external_reference=reference, **on(thing))
    assert (again.status, again.json()["payment_id"]) == (409, first["id"])


@EVERY_NOUN
def test_after_the_minutes_of_the_settings_it_looks_like_none(payer: Client, database: Database, noun: Noun) -> None:
    thing = payable(payer, noun)
    first = a_payment(payer, 9, **on(thing))
    let_pass(database, thing, minutes=9)
    assert a_payment(payer, 9, **on(thing))[FLAG] == first["id"]
    let_pass(database, thing, minutes=10, seconds=1)
    assert FLAG not in a_payment(payer, 9, **on(thing))


def test_more_minutes_look_back_further_and_none_not_at_all(payer: Client, database: Database) -> None:
    thing = payable(payer, BILL)
    assert payer.patch(SETTINGS, {"duplicate_minutes": 1440}).status == 200
    first = a_payment(payer, 9, **on(thing))
    let_pass(database, thing, hours=23)
    second = a_payment(payer, 9, **on(thing))
    assert second[FLAG] == first["id"]
    assert payer.patch(SETTINGS, {"duplicate_minutes": 0}).status == 200
    assert FLAG not in a_payment(payer, 9, **on(thing))


@pytest.mark.parametrize("value", [-1, 1441, "10", 1.5, True])
def test_minutes_beyond_their_bounds_are_refused(payer: Client, value: object) -> None:
    refused(payer.patch(SETTINGS, {"duplicate_minutes": value}), 400, "/duplicate_minutes")


def test_only_those_that_look_like_another_are_listed(payer: Client) -> None:
    thing, other = payable(payer, ACCOUNT), payable(payer, ACCOUNT)
    since = iso(datetime.now(UTC) - timedelta(seconds=1))
    a_payment(payer, 3, **on(thing))
    doubles = [a_payment(payer, 3, **on(thing))["id"] for _ in range(3)]
    a_payment(payer, 3, **on(other))
    mine = {"possible_duplicates": "true", "created_after": since, "account": thing["id"]}
    assert listed(payer, **mine) == doubles[::-1]
    assert listed(payer, possible_duplicates="true", account=other["id"]) == []
    assert len(listed(payer, account=thing["id"])) == 4
    reversal = payer.post(f"{PAYMENTS}/{doubles[0]}/reversals", {"reason": "error"}, Idempotency_Key=a_key())
    assert reversal.status == 201
    assert listed(payer, status="reversed", **mine) == [doubles[0]]


@pytest.mark.parametrize("value", ["false", "1", ""])
def test_only_true_asks_for_them(client: Client, value: str) -> None:
    refused(client.get(f"{PAYMENTS}?possible_duplicates={value}"), 400, "query: possible_duplicates")


def test_it_cannot_be_given(client: Client) -> None:
    thing = payable(client, BILL)
    refused(pay(client, 5, possible_duplicate_of="pay_1", **on(thing)), 400, "/possible_duplicate_of")


def test_another_merchants_payment_looks_like_none(client: Client, other: Client) -> None:
    reference = a_reference()
    for caller in (client, other):
        owing(caller, CUSTOMER, external_reference=reference, payment_rules=OPEN_RULES)
        assert FLAG not in a_payment(caller, 5, customer=reference)


@pytest.mark.parametrize("noun", [ACCOUNT, BILL], ids=str)
def test_of_many_at_once_through_two_workers_each_but_the_first_names_the_one_before(
    two_workers: Service, client: Client, database: Database, noun: Noun
) -> None:
    caller = two_workers.client(client.key, timeout=60)
    thing = payable(client, noun)

    def send(_: int) -> Answer:
        return pay(caller, 5, **on(thing))

    with ThreadPoolExecutor(16) as pool:
        made = {answer.json()["id"]: answer.json().get(FLAG) for answer in pool.map(send, range(64))}
    caller.close()

    sql = "SELECT payment_id FROM transfer WHERE obligation_id = $1 AND cause = 'payment' ORDER BY version"
    order = [row["payment_id"] for row in database.rows(sql, thing["id"])]
    assert [made[each] for each in order] == [None, *order[:-1]]


def test_a_check_names_the_payment_that_it_would_look_like(client: Client) -> None:
    thing = payable(client, BILL)
    body = {"amount": 5, "currency": "ZAR", **on(thing)}
    assert FLAG not in client.post(f"{PAYMENTS}/check", body).json()
    first = a_payment(client, 5, **on(thing))
    assert client.post(f"{PAYMENTS}/check", body).json()[FLAG] == first["id"]
    assert FLAG not in client.post(f"{PAYMENTS}/check", body | {"amount": 6}).json()
