"""A merchant listens: it registers endpoints, verifies what they get, and gets what it asked for and nothing else."""

import json
import time
from collections.abc import Callable
from threading import Event
from typing import Final, NamedTuple

import pytest
from standardwebhooks import Webhook

from tests.contract.client import JSON, Json
from tests.contract.samples import REFUND, a_bill, a_customer, a_payment, an_account, as_it_stands, at
from tests.failure.stand import wait_until
from tests.webhooks.receiver import Request, answer
from tests.webhooks.scenarios.merchant import ENDPOINTS, EVENTS, Hook, Shop, got, held, rests_until
from tests.webhooks.scenarios.tellings import APPLIED, Told, applied, event_of, told_by, verifies

KNOWN_WITHIN: Final = 1.0
"""Seconds after which every attempt is made to the endpoint as it has been changed."""


def signatures(request: Request) -> list[str]:
    return request.headers["webhook-signature"].split(" ")


def test_a_merchant_hears_of_applied_amounts_alone_unless_it_asks_for_more(shop: Shop) -> None:
    payments, everything = shop.hook(), shop.hook(events=["*"])
    some = shop.hook(events=["bill.paid", APPLIED])
    bill = a_bill(shop.client)
    part = a_payment(shop.client, 400, bill=bill["id"])
    rest = a_payment(shop.client, 600, bill=bill["id"], metadata={"note": "Zoë"})
    paid = Told("bill.paid", as_it_stands(shop.client, bill))
    customer = as_it_stands(shop.client, {"id": bill["customer_id"]})
    shop.hears(payments, applied(part), applied(rest))
    shop.hears(some, applied(part), applied(rest), paid)
    shop.hears(
        everything,
        Told("customer.created", customer),
        Told("bill.created", bill),
        applied(part),
        applied(rest),
        paid,
    )


def test_each_object_tells_its_own_story_in_order(shop: Shop) -> None:
    """Payments, refunds and changes of a customer, an account and a bill, all at once."""
    hook = shop.hook(events=["*"])
    client = shop.client
    customer = a_customer(client, currency="ZAR", balance=500)
    account = an_account(client, customer=customer["id"], currency="ZAR", balance=500)
    bill = a_bill(client, account=account["id"])
    whole = [{"bill": bill["id"], "amount": 1000}, {"account": account["id"], "amount": 500}]
    payment = a_payment(client, 1500, applications=whole)
    paid = as_it_stands(client, bill)
    refund = REFUND.make(client, payment, amount=500)
    renamed = got(client.patch(at(customer), {"name": "Zoë"}))
    given_back = applied(payment, 1).data | {"refund_id": refund["id"], "updated_at": refund["created_at"]}
    given_back |= refund["applications"][0]
    shop.hears(
        hook,
        Told("customer.created", customer),
        Told("customer.updated", renamed),
        Told("account.created", account),
        applied(payment, 1),
        Told("obligation.amount_reversed", given_back),
        Told("bill.created", bill),
        applied(payment, 0),
        Told("bill.paid", paid),
    )


def test_a_delivery_is_what_the_public_scheme_says(shop: Shop) -> None:
    """7: a POST of JSON with three headers, which the public package verifies, and refuses if a single byte differs."""
    hook = shop.hook()
    payment = a_payment(shop.client, bill=a_bill(shop.client)["id"])
    (request,) = shop.hears(hook, applied(payment))
    assert (request.method, request.path, request.headers["content-type"]) == ("POST", "/hook", JSON)
    assert Webhook(hook.secret).verify(request.body, request.headers)["data"] == applied(payment).data
    assert abs(request.at.timestamp() - int(request.headers["webhook-timestamp"])) < 3
    assert len(signatures(request)) == 1
    assert not verifies(hook.secret, request._replace(body=request.body + b" "))
    assert not verifies(hook.secret, request._replace(headers=request.headers | {"webhook-id": "evt_another"}))


def test_two_endpoints_have_secrets_of_their_own(shop: Shop) -> None:
    one, other = shop.hook(), shop.hook()
    payment = applied(a_payment(shop.client, bill=a_bill(shop.client)["id"]))
    (at_one,), (at_other,) = shop.hears(one, payment), shop.hears(other, payment)
    assert (event_of(at_one), at_one.body) == (event_of(at_other), at_other.body)
    assert set(signatures(at_one)).isdisjoint(signatures(at_other))
    assert not verifies(one.secret, at_other)
    assert not verifies(other.secret, at_one)


def test_while_an_old_secret_is_valid_both_sign_and_either_verifies(shop: Shop) -> None:
    hook = shop.hook()
    bill = a_bill(shop.client)
    first = hook.secret
    hook.rotate()
    (request,) = shop.hears(hook, applied(a_payment(shop.client, bill=bill["id"])))
    second = hook.secret
    assert len(signatures(request)) == 2
    assert [verifies(secret, request) for secret in (first, second)] == [True, True]

    hook.rotate(expires_in=0)
    (request,) = shop.hears(hook, applied(a_payment(shop.client, bill=bill["id"])))
    assert len(signatures(request)) == 1
    assert [verifies(secret, request) for secret in (first, second, hook.secret)] == [False, False, True]


def test_an_old_secret_stops_signing_by_itself(shop: Shop) -> None:
    hook = shop.hook()
    before = hook.secret
    hook.rotate(expires_in=1)
    wait_until(lambda: len(got(shop.client.get(f"{hook.path}/secrets"))["data"]) == 1, "the old secret expires")
    (request,) = shop.hears(hook, applied(a_payment(shop.client, bill=a_bill(shop.client)["id"])))
    assert len(signatures(request)) == 1
    assert [verifies(secret, request) for secret in (before, hook.secret)] == [False, True]


def test_an_endpoint_gets_only_what_was_raised_after_it_was_made(shop: Shop) -> None:
    bill = a_bill(shop.client)
    early, both = shop.hook(events=["*"]), shop.hook()
    first = applied(a_payment(shop.client, bill=bill["id"]))
    shop.drain(early)
    late = shop.hook(events=["*"])
    second = applied(a_payment(shop.client, bill=bill["id"]))
    shop.hears(late, second)
    shop.hears(early, first, second)
    shop.hears(both, first, second)


def test_what_an_endpoint_asks_for_may_change(shop: Shop) -> None:
    hook = shop.hook()
    bill = a_bill(shop.client)
    first = applied(a_payment(shop.client, bill=bill["id"]))
    shop.hears(hook, first)
    hook.change(events=["*"])
    changed = got(shop.client.patch(at(bill), {"due_date": "2027-01-31"}))
    shop.hears(hook, Told("bill.updated", changed))


def test_what_waits_moves_with_the_url_and_goes_with_the_endpoint(shop: Shop) -> None:
    """What the old receiver did not take goes to the new one alone, and nowhere once the endpoint is deleted."""
    hook, deleted = shop.hook(), shop.hook()
    old, new = hook.ear, shop.ear()
    bill = a_bill(shop.client)
    for each in (hook, deleted):
        each.ear.rest_for(bill)
    first = applied(a_payment(shop.client, bill=bill["id"]))
    for each in (deleted, hook):
        rests_until(each)
    second = applied(a_payment(shop.client, bill=bill["id"]))
    assert shop.client.send("DELETE", deleted.path).status == 204
    hook.move(new)
    shop.hears(hook, first, first, second)
    assert (len(old.about(bill)), len(new.about(bill))) == (1, 2)
    assert [told_by(request) for request in deleted.news()] == [first]


def test_a_deleted_endpoint_gets_nothing_more(shop: Shop) -> None:
    deleted, other = shop.hook(), shop.hook()
    bill = a_bill(shop.client)
    first = applied(a_payment(shop.client, bill=bill["id"]))
    shop.hears(deleted, first)
    assert shop.client.send("DELETE", deleted.path).status == 204
    second = applied(a_payment(shop.client, bill=bill["id"]))
    shop.hears(other, first, second)
    shop.drain(other)
    assert shop.client.get(deleted.path).status == 404
    assert deleted.news() == []


def test_the_pull_feed_and_the_deliveries_agree(shop: Shop) -> None:
    """The same events, the same bytes, and for each object the same order."""
    hook = shop.hook(events=["*"])
    shop.drain(hook)
    _, start = shop.feed()
    bills = [a_bill(shop.client) for _ in range(3)]
    for bill in bills * 2:
        a_payment(shop.client, 500, bill=bill["id"])
    shop.drain(hook)
    pulled, end = shop.feed(start)
    told = [Told(event["type"], event["data"]) for event in pulled]
    pushed = shop.hears(hook, *told[:-1])
    assert len(pushed) == 3 * 5
    bodies = {event_of(request): request.body for request in hook.requests}
    assert bodies.keys() >= {event["id"] for event in pulled}
    assert all(shop.client.get(f"{EVENTS}/{event['id']}").body == bodies[event["id"]] for event in pulled)
    assert [event["id"] for event in shop.feed(end)[0]] == [event_of(hook.requests[-1])]


def test_an_endpoint_may_be_made_before_it_is_to_be_told_anything(shop: Shop) -> None:
    hook, other = shop.hook(enabled=False), shop.hook()
    bill = a_bill(shop.client)
    missed = applied(a_payment(shop.client, bill=bill["id"]))
    shop.hears(other, missed)
    assert hook.news() == []
    hook.change(enabled=True, backlog="skip")
    heard = applied(a_payment(shop.client, bill=bill["id"]))
    shop.hears(hook, heard)


def test_a_sample_is_sent_signed_and_leaves_nothing_behind(shop: Shop) -> None:
    """Also to an endpoint that is disabled; what comes of it is told at once, good or bad."""
    hook = shop.hook(enabled=False)
    told = got(shop.client.send("POST", f"{hook.path}/test"))
    (request,) = hook.news()
    assert (told["succeeded"], told["status"], told_by(request).type) == (True, 204, APPLIED)
    hook.ear.plan(answer(500, b"no such route"))
    told = got(shop.client.post(f"{hook.path}/test", {"type": "bill.paid"}))
    assert (told["succeeded"], told["status"], told["answer"]) == (False, 500, "no such route")
    (again,) = hook.news()
    assert told_by(again).type == "bill.paid"
    assert [shop.client.get(f"{EVENTS}/{event_of(each)}").status for each in (request, again)] == [404, 404]
    assert hook.status == {"enabled": False, "pending": 0, "failed": 0}


def test_a_merchant_finds_out_why_its_receiver_refuses(shop: Shop) -> None:
    hook, other = shop.hook(), shop.hook()
    payment = a_payment(shop.client, bill=a_bill(shop.client)["id"], metadata={"note": "Zoë"})
    (request,) = shop.hears(hook, applied(payment))
    body = request.body.decode()

    def failed_step(body: str, secret: Hook, **headers: str) -> str | None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        asked = {"headers": request.headers | named, "body": body, "secret": secret.shown["secret_id"]}
        found = got(shop.client.post(f"{ENDPOINTS}/verify-signature", asked))
        assert found["verified"] == ("failed_step" not in found)
        return found.get("failed_step")

    assert failed_step(body, hook) is None
    assert failed_step(json.dumps(json.loads(body)), hook) == "body"
    assert failed_step(body, other) == "secret"
    assert failed_step(body, hook, webhook_timestamp="1700000000") == "time"
    assert failed_step(body, hook, webhook_id="evt") == "headers"


# What is changed while a row of events is on its way


class Row(NamedTuple):
    """Five events of one object, taken up together: the first is being sent, and the others wait behind it.

    Attributes:
        told: What they tell, in their order.
        go_on: Has the receiver answer the first; not before what was changed is known everywhere.
    """

    hook: Hook
    bill: Json
    told: list[Told]
    go_on: Callable[[], None]


@pytest.fixture
def row(shop: Shop) -> Row:
    hook, bill, answered = shop.hook(enabled=False), a_bill(shop.client), Event()
    hook.ear.plan_for(bill, held(answered, answer()))
    told = [applied(a_payment(shop.client, bill=bill["id"])) for _ in range(5)]
    hook.change(enabled=True, backlog="resume")
    wait_until(lambda: hook.ear.about(bill), "the first is sent")

    def go_on() -> None:
        time.sleep(KNOWN_WITHIN)  # what is promised is this very time
        answered.set()

    return Row(hook, bill, told, go_on)


def test_of_a_row_nothing_more_is_sent_once_the_endpoint_is_disabled(shop: Shop, row: Row) -> None:
    row.hook.change(enabled=False)
    row.go_on()
    wait_until(lambda: row.hook.status["pending"] == 4, "the first is taken")
    row.hook.change(enabled=True, backlog="skip")
    shop.hears(row.hook, row.told[0])


def test_the_rest_of_a_row_goes_to_the_new_url(shop: Shop, row: Row) -> None:
    old, new = row.hook.ear, shop.ear()
    row.hook.move(new)
    row.go_on()
    shop.hears(row.hook, *row.told)
    assert (len(old.about(row.bill)), len(new.about(row.bill))) == (1, 4)


def test_the_rest_of_a_row_is_signed_with_the_new_secret(shop: Shop, row: Row) -> None:
    first = row.hook.secret
    row.hook.rotate(expires_in=0)
    row.go_on()
    shop.drain(row.hook)
    assert [verifies(first, request) for request in row.hook.requests] == [True] + [False] * 5
    assert [verifies(row.hook.secret, request) for request in row.hook.requests] == [False] + [True] * 5
