"""6: many payments at the same moment, through two workers: the decision is made on locked state."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import Final

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    ACCOUNT,
    BILL,
    CUSTOMER,
    EVERY_NOUN,
    OPEN_RULES,
    PAYMENTS,
    Noun,
    a_bill,
    a_customer,
    a_key,
    a_payment,
    a_reference,
    an_account,
    at,
    events,
    on,
    owing,
    pay,
    transfers,
)
from tests.contract.service import Database, Service

ACTORS: Final = """SELECT actor, count(*) FROM transfer JOIN attribution ON attribution.id = transfer.attribution_id
                    WHERE obligation_id = $1 AND transfer.payment_id IS NOT NULL GROUP BY actor ORDER BY actor"""


@pytest.fixture
def caller(two_workers: Service, client: Client) -> Iterator[Client]:
    """A caller whose connections spread over two workers."""
    made = two_workers.client(client.key, timeout=60)
    yield made
    made.close()


def at_once(send: Callable[[int], Answer], times: int, threads: int = 50) -> list[Answer]:
    """Send so many requests, as many at a time as there are threads."""
    with ThreadPoolExecutor(min(times, threads)) as pool:
        return list(pool.map(send, range(times)))


def test_of_a_hundred_full_payments_of_one_bill_one_is_made_and_99_are_refused(
    caller: Client, client: Client, database: Database
) -> None:
    """6: one hundred simultaneous full payments of one bill are one payment and 99 refusals."""
    bill = a_bill(client)
    body = {"amount": 1000, "currency": "ZAR"} | on(bill)

    def settle(number: int) -> Answer:
        return caller.post(PAYMENTS, body, Idempotency_Key=a_key(), Owed_Actor=f"till {number}")

    answers = at_once(settle, 100, threads=100)
    assert Counter(answer.status for answer in answers) == {201: 1, 422: 99}
    refusals = [answer.json() for answer in answers if answer.status == 422]
    assert {(each["code"], each["rule"], "would_pass" in each) for each in refusals} == {
        ("payment_refused", "overpayment_allowed", False)
    }
    after = client.get(at(bill)).json()
    assert after == bill | {"amount_paid": 1000, "amount_remaining": 0, "status": "paid"}
    assert [row[0] for row in transfers(database, bill)] == ["bill_raised", "payment"]
    assert [kind for kind, _ in events(database, bill)] == ["bill.created", "obligation.amount_applied", "bill.paid"]
    (winner,) = [n for n, answer in enumerate(answers) if answer.status == 201]
    assert [tuple(row) for row in database.rows(ACTORS, bill["id"])] == [(f"till {winner}", 1)]


@pytest.mark.parametrize("start", [-500, None])
def test_a_thousand_payments_to_one_prepaid_account_all_land(
    caller: Client, client: Client, database: Database, start: int | None
) -> None:
    """6: a thousand payments to one prepaid account all land, and the balance is exact."""
    balance: Json = {} if start is None else {"balance": start}
    account, reference = an_account(client, currency="ZAR", payment_rules=OPEN_RULES, **balance), a_reference()

    def top_up(number: int) -> Answer:
        body = {"amount": number + 1, "currency": "ZAR", "external_reference": f"{reference}-{number}"} | on(account)
        return caller.post(PAYMENTS, body, Idempotency_Key=a_key(), Owed_Actor=f"shop-{number % 4}")

    answers = at_once(top_up, 1000)
    assert Counter(answer.status for answer in answers) == {201: 1000}
    assert len({answer.json()["id"] for answer in answers}) == 1000
    chain = [row for row in transfers(database, account) if row[0] == "payment"]
    assert Counter(row[3] for row in chain) == Counter(-n for n in range(1, 1001))
    totals = list(accumulate((row[3] for row in chain), initial=start or 0))
    assert ([row[4] for row in chain], totals[-1]) == (totals[1:], (start or 0) - 500_500)
    assert client.get(at(account)).json().get("balance") == (None if start is None else start - 500_500)
    told = [body["id"] for kind, body in events(database, account) if kind == "obligation.amount_applied"]
    assert sorted(told) == sorted(answer.json()["applications"][0]["id"] for answer in answers)
    assert [tuple(row) for row in database.rows(ACTORS, account["id"])] == [(f"shop-{n}", 250) for n in range(4)]


@EVERY_NOUN
def test_parts_never_take_more_than_is_owed(caller: Client, client: Client, database: Database, noun: Noun) -> None:
    """5: rules hold at commit: of a hundred payments of 30, 1000 has room for 33, whatever name each of them uses."""
    thing = owing(client, noun)
    names: list[Json] = [{noun.name: thing[name]} for name in ("id", "external_reference")]
    answers = at_once(lambda n: pay(caller, 30, **names[n % 2]), 100)
    assert Counter(answer.status for answer in answers) == {201: 33, 422: 67}
    assert transfers(database, thing)[-1][4] == 10
    now = client.get(at(thing)).json()
    assert (now["amount_remaining"] if noun is BILL else now["balance"]) == 10


@EVERY_NOUN
def test_of_one_key_sent_at_once_one_payment_is_made_and_the_others_replay_it(
    caller: Client, client: Client, database: Database, noun: Noun
) -> None:
    """1.4: the same key while the first is still running waits, and then replays; through both workers."""
    thing, key = owing(client, noun), a_key()
    answers = at_once(lambda _: pay(caller, 400, key=key, **on(thing)), 20)
    assert {(answer.status, answer.body, answer.etag) for answer in answers} == {
        (201, answers[0].body, answers[0].etag)
    }
    assert Counter(answer.headers.get("Idempotent-Replayed") for answer in answers) == {None: 1, "true": 19}
    assert [row[3] for row in transfers(database, thing)] == [1000, -400]
    assert [kind for kind, _ in events(database, thing)][1:] == ["obligation.amount_applied"]


def test_of_one_key_on_a_payment_that_is_refused_all_hear_the_same(caller: Client, client: Client) -> None:
    """1.4: a decided 422 is kept: the key decides once."""
    bill, key = a_bill(client), a_key()
    answers = at_once(lambda _: pay(caller, 1001, key=key, **on(bill)), 10)
    assert {(answer.status, answer.body) for answer in answers} == {(422, answers[0].body)}
    assert Counter(answer.headers.get("Idempotent-Replayed") for answer in answers) == {None: 1, "true": 9}


def test_of_one_key_with_two_amounts_one_payment_is_made(caller: Client, client: Client, database: Database) -> None:
    """1.4: another fingerprint gets 422, also while the first is still running."""
    account, key = owing(client, ACCOUNT), a_key()
    answers = at_once(lambda n: pay(caller, n + 1, key=key, **on(account)), 10)
    assert Counter(answer.status for answer in answers) == {201: 1, 422: 9}
    assert {answer.code for answer in answers if answer.status == 422} == {"idempotency_key_reused"}
    assert len(transfers(database, account)) == 2


@pytest.mark.parametrize("channel", [None, "bank"])
@pytest.mark.parametrize("attempt", range(3))
def test_of_one_reference_sent_at_once_one_payment_is_made_and_the_others_hear_which(
    caller: Client, client: Client, database: Database, channel: str | None, attempt: int
) -> None:
    """6: a duplicate is 409, with the `payment_id` that has it, whatever it pays; each under a key of its own."""
    reference, things = a_reference(), [owing(client, noun) for noun in (BILL, ACCOUNT, CUSTOMER)]
    members: Json = {"external_reference": reference, "channel": channel}
    answers = at_once(lambda n: pay(caller, n + 1, **on(things[(n + attempt) % 3]), **members), 12)
    assert Counter(answer.status for answer in answers) == {201: 1, 409: 11}
    (made,) = [answer.json() for answer in answers if answer.status == 201]
    refusals = [answer for answer in answers if answer.status == 409]
    assert {(each.code, each.json()["payment_id"]) for each in refusals} == {("conflict", made["id"])}
    assert sum(len(transfers(database, thing)) for thing in things) == 4
    assert client.get(f"{PAYMENTS}/{reference}").json() == made


def test_a_reference_goes_to_the_one_payment_that_the_rules_let_pass(caller: Client, client: Client) -> None:
    """6: what was refused holds no reference: of those that are sent at once, one passes, whoever comes first."""
    reference, bill = a_reference(), a_bill(client)
    amounts = [1001] * 8 + [1000] + [1001] * 8
    answers = at_once(lambda n: pay(caller, amounts[n], external_reference=reference, **on(bill)), len(amounts))
    statuses = [answer.status for answer in answers]
    assert (statuses.pop(8), set(statuses) <= {409, 422}) == (201, True)
    assert client.get(at(bill)).json()["status"] == "paid"


def test_the_same_reference_in_two_channels_at_once_is_two_payments(caller: Client, client: Client) -> None:
    """6: unique per merchant, mode and `channel`."""
    reference, customer = a_reference(), a_customer(client, currency="ZAR")
    channels = ["bank", "shop", None]
    answers = at_once(lambda n: pay(caller, external_reference=reference, channel=channels[n % 3], **on(customer)), 30)
    assert Counter(answer.status for answer in answers) == {201: 3, 409: 27}
    assert {answer.json().get("channel") for answer in answers if answer.status == 201} == {"bank", "shop", None}


def test_payments_of_many_bills_at_once_are_whole_or_not_at_all(
    caller: Client, client: Client, database: Database
) -> None:
    """6: all pass or none, in any order: two that share one bill never both pay it."""
    customer = a_customer(client)["id"]
    for _ in range(3):
        bills = [a_bill(client, customer=customer) for _ in range(12)]
        spans = [bills[start : start + 4] for start in range(9)]
        spans += [span[::-1] for span in spans]

        def settle(number: int, spans: list[list[Json]] = spans) -> Answer:
            parts = [{**on(bill), "amount": 1000} for bill in spans[number]]
            return pay(caller, 4000, applications=parts)

        answers = at_once(settle, len(spans))
        assert {answer.status for answer in answers} == {201, 422}
        paid = [bill for answer in answers if answer.status == 201 for bill in answer.json()["applications"]]
        assert len({application["bill_id"] for application in paid}) == len(paid)
        statuses = {bill["id"]: client.get(at(bill)).json()["status"] for bill in bills}
        settled = {bill for bill, status in statuses.items() if status == "paid"}
        assert settled == {application["bill_id"] for application in paid}
        assert {len(transfers(database, bill)) for bill in bills} <= {1, 2}


def test_a_payment_and_a_void_or_a_correction_at_once_never_both_stand(caller: Client, client: Client) -> None:
    """4, 6: whichever comes first, the other is refused."""
    bills = [a_bill(client) for _ in range(15)]
    with ThreadPoolExecutor(12) as pool:
        pairs = [
            (
                pool.submit(pay, caller, 1000, **on(bill)),
                pool.submit(caller.send, "POST", f"{at(bill)}/void"),
                pool.submit(caller.patch, at(bill), {"amount_paid": 1000}),
            )
            for bill in bills
        ]
        outcomes = [[answer.result().status for answer in pair] for pair in pairs]
    for bill, (paid, voided, corrected) in zip(bills, outcomes, strict=True):
        now = client.get(at(bill)).json()
        assert (paid, voided) in {(201, 409), (422, 200), (422, 409)}
        assert now["status"] == ("voided" if voided == 200 else "paid")
        assert now["amount_paid"] == (0 if voided == 200 else 1000)
        assert (corrected == 409) == (voided == 200)


def test_payments_and_new_balances_of_one_account_at_once_add_up(
    caller: Client, client: Client, database: Database
) -> None:
    """6: every change is one transfer: nothing is lost where a merchant sets a balance while money comes in."""
    account = owing(client, ACCOUNT, payment_rules=OPEN_RULES)

    def change(number: int) -> Answer:
        if number % 5 == 0:
            return caller.patch(at(account), {"balance": number})
        return pay(caller, 7, **on(account))

    answers = at_once(change, 200)
    assert Counter(answer.status for answer in answers) == {200: 40, 201: 160}
    chain = transfers(database, account)
    assert sum(row[3] for row in chain) == chain[-1][4] == client.get(at(account)).json()["balance"]
    assert Counter(row[0] for row in chain)["payment"] == 160


def test_a_list_of_payments_that_are_being_made_loses_none(caller: Client, client: Client) -> None:
    """1.6: pages stay right while rows are added: what was there when the first page was read is on the pages."""
    account = an_account(client, currency="ZAR")
    old = {a_payment(client, **on(account))["id"] for _ in range(20)}
    with ThreadPoolExecutor(8) as pool:
        coming = [pool.submit(pay, caller, 5, **on(account)) for _ in range(100)]
        query, seen = f"{PAYMENTS}?account={account['id']}&limit=7", list[str]()
        answer = caller.get(query)
        while True:
            seen += [payment["id"] for payment in answer.json()["data"]]
            if "Next-Cursor" not in answer.headers:
                break
            answer = caller.get(f"{query}&cursor={answer.headers['Next-Cursor']}")
        assert {each.result().status for each in coming} == {201}
    assert (len(seen), seen) == (len(set(seen)), sorted(seen, reverse=True))
    assert old <= set(seen)
