"""6: POST /billing/payments/check: what a payment would meet, told before it is made, in the same words."""

from typing import Any, Final

import pytest

from tests.contract.client import JSON, Answer, Client, Json
from tests.contract.samples import (
    ACCOUNT,
    BILL,
    CUSTOMER,
    EVERY_NOUN,
    OPEN_RULES,
    PAYMENTS,
    RULES,
    Noun,
    a_bill,
    a_customer,
    a_key,
    a_payment,
    a_reference,
    at,
    events,
    on,
    owing,
    pay,
    refused,
    transfers,
)
from tests.contract.service import Database

CHECK: Final = f"{PAYMENTS}/check"
STRICT: Final = RULES | {"underpayment_allowed": False}
SMALL: Final = RULES | {"overpayment_allowed": True}
OF_THE_PROBLEM: Final = {"type", "title", "status", "detail", "instance", "code", "request_id", "errors", "rule"}
EVERYTHING = """SELECT (SELECT count(*) FROM payment), (SELECT count(*) FROM transfer), (SELECT count(*) FROM event),
                       (SELECT count(*) FROM attribution), (SELECT count(*) FROM search_term),
                       (SELECT count(*) FROM answer)"""


def ask(client: Client, amount: int = 100, **members: Any) -> Answer:
    """POST a check of a payment in ZAR, without an idempotency key."""
    return client.post(CHECK, {"amount": amount, "currency": "ZAR"} | members)


def check(client: Client, amount: int = 100, **members: Any) -> Json:
    """Check a payment, which must be answered, and return the explanation."""
    answer = ask(client, amount, **members)
    assert (answer.status, answer.media_type()) == (200, JSON), answer.body
    checked: Json = answer.json()
    return checked


def same_as_the_refusal(checked: Json, answer: Answer) -> None:
    """Expect that a check and the refusal of the payment itself explain it in the same members."""
    assert (answer.status, answer.code) == (422, "payment_refused"), answer.body
    problem = answer.json()
    explanation = {name: value for name, value in problem.items() if name not in OF_THE_PROBLEM}
    assert {name: value for name, value in checked.items() if name not in ("allowed", "after")} == explanation
    assert problem["rule"] in problem["rules"]
    assert len(problem["errors"]) >= len(problem["rules"])


# What it answers


@EVERY_NOUN
@pytest.mark.parametrize("amount", [1, 400, 1000])
def test_a_payment_that_passes_is_allowed_and_shown_as_it_would_be(client: Client, noun: Noun, amount: int) -> None:
    """6: `allowed`, `rules`, `would_pass`, and `after`: each obligation as it would be, and then is."""
    thing = owing(client, noun)
    checked = check(client, amount, **on(thing))
    most = 1000
    assert {name: value for name, value in checked.items() if name != "after"} == {
        "allowed": True,
        "rules": [],
        "would_pass": {"min": 1, "max": most},
    }
    assert client.get(at(thing)).json() == thing
    a_payment(client, amount, **on(thing))
    assert checked["after"] == [client.get(at(thing)).json()]


@EVERY_NOUN
@pytest.mark.parametrize(
    ("owed", "payment_rules", "amount"),
    [
        (1000, RULES, 99),
        (1000, RULES, 1001),
        (1000, RULES, 2_000_000),
        (50, RULES, 49),
        (50, RULES, 51),
        (50, SMALL, 51),
        (1000, STRICT, 5),
        (1000, STRICT | {"max_amount": 500}, 500),
        (1000, OPEN_RULES, 999_999_999_999),
    ],
)
def test_a_check_and_a_refusal_give_the_same_explanation(
    client: Client, noun: Noun, owed: int, payment_rules: Json, amount: int
) -> None:
    """5: one pure function decides this for every caller."""
    thing = owing(client, noun, owed, payment_rules=payment_rules)
    checked, answer = check(client, amount, **on(thing)), pay(client, amount, **on(thing))
    if answer.status == 201:  # a balance has more room than a bill
        assert (checked["allowed"], checked["rules"], noun is BILL) == (True, [], False)
        return
    assert (checked["allowed"], checked["after"]) == (False, [thing])
    same_as_the_refusal(checked, answer)


def test_a_settling_amount_is_told_beside_the_range(client: Client) -> None:
    """5: `settles`, beside it, a lone exact amount outside that range; also where the payment passes."""
    thing = owing(client, CUSTOMER, 50, payment_rules=SMALL)
    for amount, allowed in ((50, True), (100, True), (51, False)):
        checked = check(client, amount, **on(thing))
        assert checked["allowed"] is allowed
        assert (checked["would_pass"], checked["settles"]) == ({"min": 100, "max": 1_000_000}, 50)


@EVERY_NOUN
def test_of_what_cannot_be_paid_nothing_would_pass(client: Client, noun: Noun) -> None:
    """5: no rules, another currency: `would_pass` is absent where no range passes."""
    bare, foreign = owing(client, noun), owing(client, noun)
    bare = client.merge(at(bare), {"payment_rules": None}).json()
    for thing, currency, rule in ((bare, "ZAR", "not_payable"), (foreign, "USD", "currency")):
        checked = check(client, currency=currency, **on(thing))
        assert checked == {"allowed": False, "rules": [rule], "after": [thing]}
        same_as_the_refusal(checked, pay(client, currency=currency, **on(thing)))


def test_of_a_voided_bill_nothing_would_pass(client: Client) -> None:
    bill = client.send("POST", f"{at(a_bill(client))}/void").json()
    checked = check(client, **on(bill))
    assert checked == {"allowed": False, "rules": ["voided"], "after": [bill]}
    same_as_the_refusal(checked, pay(client, **on(bill)))


def test_every_rule_that_refuses_is_named(client: Client) -> None:
    """6: `rules` (every one that refuses), in the contract's order."""
    bill = client.send("POST", f"{at(a_bill(client, payment_rules=STRICT))}/void").json()
    checked = check(client, 5, currency="USD", **on(bill))
    assert checked["rules"] == ["voided", "currency", "min_amount", "underpayment_allowed"]
    same_as_the_refusal(checked, pay(client, 5, currency="USD", **on(bill)))


@pytest.mark.parametrize("noun", [ACCOUNT, CUSTOMER], ids=str)
def test_where_no_balance_is_tracked_after_shows_none(client: Client, noun: Noun) -> None:
    """6: where a balance is not tracked the running total still runs, unseen."""
    thing = noun.make(client, currency="ZAR")
    assert check(client, 5000, **on(thing)) == {
        "allowed": True,
        "rules": [],
        "would_pass": {"min": 1, "max": 99_999_999},
        "after": [thing],
    }


@pytest.mark.parametrize("noun", [ACCOUNT, CUSTOMER], ids=str)
def test_an_object_without_a_currency_is_refused_as_currency(client: Client, noun: Noun) -> None:
    """5: an object without a currency is refused as `currency`."""
    thing = noun.make(client)
    assert check(client, **on(thing)) == {"allowed": False, "rules": ["currency"], "after": [thing]}


# Several


def test_many_that_pass_are_each_explained_and_shown(client: Client) -> None:
    """6: each application is explained, and each obligation shown as it would be, in their order."""
    things = [owing(client, noun) for noun in (BILL, ACCOUNT, CUSTOMER)]
    parts = [{**on(thing), "amount": amount} for thing, amount in zip(things, (1000, 400, 1), strict=True)]
    checked = check(client, 1401, applications=parts)
    payment = a_payment(client, 1401, applications=parts)
    assert (checked["allowed"], checked["rules"]) == (True, [])
    assert checked["after"] == [client.get(at(thing)).json() for thing in things]
    would = {"allowed": True, "rules": [], "would_pass": {"min": 1, "max": 1000}}
    assert checked["applications"] == [
        {name: value for name, value in application.items() if name != "id"} | would
        for application in payment["applications"]
    ]


def test_many_of_which_one_is_refused_are_refused_alike(client: Client) -> None:
    """5, 6: the same explanation, of each application too; as none would be paid, all are shown as they stand."""
    things = [owing(client, noun) for noun in (BILL, ACCOUNT, CUSTOMER)]
    parts = [{**on(thing), "amount": amount} for thing, amount in zip(things, (1000, 1001, 1), strict=True)]
    checked = check(client, 2002, applications=parts)
    assert (checked["allowed"], checked["rules"]) == (False, ["overpayment_allowed"])
    assert [each["allowed"] for each in checked["applications"]] == [True, False, True]
    assert checked["after"] == things
    same_as_the_refusal(checked, pay(client, 2002, applications=parts))


def test_a_hundred_are_checked_at_once(client: Client) -> None:
    customer = a_customer(client)["id"]
    bills = [a_bill(client, customer=customer, amount_due=5) for _ in range(101)]
    parts = [{**on(bill), "amount": 5} for bill in bills]
    checked = check(client, 500, applications=parts[:100])
    assert {bill["status"] for bill in checked["after"]} == {"paid"}
    refused(ask(client, 505, applications=parts), 400, "/applications")


# It changes nothing


@EVERY_NOUN
def test_a_check_changes_nothing(client: Client, database: Database, noun: Noun) -> None:
    """6: changes nothing, stores nothing: no payment, no event, no answer under a key."""
    thing = owing(client, noun)
    before, shown = database.rows(EVERYTHING), client.get(at(thing))
    key, reference = a_key(), a_reference()
    for amount in (1000, 1001, 1000):
        client.post(
            CHECK,
            {"amount": amount, "currency": "ZAR", "external_reference": reference} | on(thing),
            Idempotency_Key=key,
            Owed_Actor="mary",
        )
    got = client.get(at(thing))
    assert (got.body, got.etag, database.rows(EVERYTHING)) == (shown.body, shown.etag, before)
    assert (len(transfers(database, thing)), len(events(database, thing))) == (1, 1)
    assert client.get(f"{PAYMENTS}/{reference}").code == "payment_not_found"


def test_a_check_has_no_version_and_no_location(client: Client) -> None:
    """1.1: what is not stored carries neither."""
    answer = ask(client, **on(a_bill(client)))
    assert [answer.headers.get(name) for name in ("ETag", "Last-Modified", "Location")] == [None] * 3


def test_a_check_needs_no_key(client: Client, service: Any) -> None:
    """1.4: but for `check`, which stores nothing, also where the settings ask for a key on every POST."""
    assert ask(client, **on(a_bill(client))).status == 200
    caller = service.client(service.merchant("Strict").keys["sk_test"])
    bill = a_bill(caller)
    assert caller.patch("/billing/settings", {"require_idempotency_key": True}).status == 200
    assert ask(caller, **on(bill)).status == 200


def test_a_check_sees_what_stands(client: Client) -> None:
    """6: each answer is of the moment."""
    bill = a_bill(client)
    for amount, allowed in ((600, True), (600, False), (400, True), (400, False)):
        assert check(client, amount, **on(bill))["allowed"] is allowed
        pay(client, amount, **on(bill))


def test_a_reference_that_is_taken_does_not_matter_to_a_check(client: Client) -> None:
    """6: the payment itself would be 409; what it would meet of the rules can be asked all the same."""
    bill, reference = a_bill(client), a_reference()
    a_payment(client, external_reference=reference, **on(bill))
    assert check(client, external_reference=reference, **on(bill))["allowed"] is True


# What it refuses


def test_a_check_takes_the_same_body_as_a_payment(client: Client) -> None:
    """6: the same body as a payment, every member of it."""
    members = {
        "external_reference": a_reference(), "channel": "bank", "method": "eft", "provider_reference": "7/8",
        "paid_at": "2026-01-31T09:30:00Z", "metadata": {"a": "1"},
    }  # fmt: skip
    body: Json = {"amount": 100, "currency": "ZAR"} | on(a_bill(client)) | members
    assert (client.post(CHECK, body).status, client.post(PAYMENTS, body, Idempotency_Key=a_key()).status) == (200, 201)


def test_what_is_wrong_with_a_payment_is_wrong_with_its_check(client: Client) -> None:
    """1.5, 6: 400, each fault named as for the payment itself."""
    bill = a_bill(client)
    part = on(bill) | {"amount": 50}
    bodies: list[Json] = [
        {},
        {"bill": "a b", "amount": 0, "currency": "zar", "wrong": 1, "channel": "A", "metadata": {"a": 1}},
        on(bill) | {"amount": 1.5, "currency": "ZAR"},
        on(bill) | {"amount": 5, "currency": "ZZZ"},
        on(bill) | {"amount": 5, "currency": "ZAR", "external_reference": "check", "paid_at": "2999-01-01T00:00:00Z"},
        {"amount": 100, "currency": "ZAR", "applications": []},
        {"amount": 99, "currency": "ZAR", "applications": [part]},
        {"amount": 100, "currency": "ZAR", "applications": [part, part | {"bill": bill["external_reference"]}]},
    ]
    for body in bodies:
        asked, paid = client.post(CHECK, body), client.post(PAYMENTS, body, Idempotency_Key=a_key())
        assert (asked.status, asked.code, asked.pointers) == (400, "invalid_request", paid.pointers)
        assert asked.pointers


def test_what_does_not_exist_is_404(client: Client, live: Client, other: Client) -> None:
    """1.3: an object named in a body that does not exist is 404, whoever else has one."""
    bill = a_bill(client)
    refused(ask(client, bill="nobody"), 404, "/bill")
    parts = [{**on(bill), "amount": 50}, {"account": "nobody", "amount": 50}]
    refused(ask(client, applications=parts), 404, "/applications/1/account")
    for stranger in (live, other):
        for name in ("id", "external_reference"):
            refused(ask(stranger, bill=bill[name]), 404, "/bill")


def test_a_check_needs_a_secret_key_a_media_type_and_no_parameters(
    client: Client, public: Client, anonymous: Client
) -> None:
    """1.1, 1.2: as every route."""
    bill = a_bill(client)
    body = {"amount": 100, "currency": "ZAR"} | on(bill)
    assert [caller.post(CHECK, body).status for caller in (public, anonymous)] == [403, 401]
    assert client.post(CHECK, body, Content_Type="text/plain").status == 415
    refused(client.post(f"{CHECK}?after=true", body), 400, "query: after")
    assert client.post(CHECK, b"{").status == 400
