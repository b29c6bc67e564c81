"""What a merchant's receivers hear of a person who was erased: ids and amounts, and that it was redacted."""

import json
import threading

import pytest

from tests.contract.client import Json
from tests.contract.samples import CUSTOMERS, a_customer, a_payment, at
from tests.failure.stand import wait_until
from tests.webhooks.receiver import Request, answer
from tests.webhooks.scenarios.merchant import EVENTS, Hook, Shop, got, held
from tests.webhooks.scenarios.tellings import verifies

PERSON = {"name": "Thandi Nkosi", "email": "thandi@example.com", "currency": "ZAR", "balance": 500}
TYPES = ["customer.created", "customer.updated", "obligation.amount_applied"]


def erase(shop: Shop, customer: Json) -> Json:
    return got(shop.client.send("POST", f"{CUSTOMERS}/{customer['id']}/erase"))


def bodies(requests: list[Request]) -> list[Json]:
    return [json.loads(request.body) for request in requests]


def events_of(shop: Shop, thing: Json) -> list[Json]:
    """Give the events of a thing as the API has them, the oldest first."""
    found: list[Json] = got(shop.client.get(f"{EVENTS}?object={thing['id']}"))["data"]
    return found[::-1]


def told(hook: Hook, thing: Json, count: int) -> list[Request]:
    """Wait until an endpoint has got so many requests about a thing, each of which is genuine."""
    wait_until(lambda: len(hook.ear.about(thing)) >= count, f"{count} requests come")
    requests = hook.ear.about(thing)
    assert all(verifies(hook.secret, request) for request in requests)
    return requests


def test_what_was_not_sent_yet_goes_out_redacted(shop: Shop) -> None:
    """Also what a worker had claimed: it waited behind a request that the receiver was slow to answer."""
    hook, may_answer = shop.hook(events=TYPES, enabled=False), threading.Event()
    customer = a_customer(shop.client, **PERSON)
    hook.ear.plan_for(customer, held(may_answer, answer(200)))
    for name in ("Thandi N", "T. Nkosi", "T. N."):
        got(shop.client.patch(at(customer), {"name": name}))
    a_payment(shop.client, 100, customer=customer["id"], metadata={"who": "her sister"})
    hook.change(enabled=True, backlog="resume")
    told(hook, customer, 1)
    erased = erase(shop, customer)
    may_answer.set()

    first, *others = bodies(told(hook, customer, 6))
    assert first["data"]["name"] == "Thandi Nkosi"
    assert [body.get("redacted") for body in others] == [True] * 4 + [None]
    assert others == events_of(shop, customer)[1:]
    assert others[-1]["data"] == erased


def test_what_is_sent_again_says_that_it_was_redacted(shop: Shop) -> None:
    hook = shop.hook(events=TYPES)
    customer = a_customer(shop.client, **PERSON)
    (first,) = bodies(told(hook, customer, 1))
    erased = erase(shop, customer)
    told(hook, customer, 2)
    assert shop.client.send("POST", f"{EVENTS}/{first['id']}/redeliver").status == 202

    *_, again = told(hook, customer, 3)
    assert again.headers["webhook-id"] == first["id"]
    assert json.loads(again.body) == {
        "id": first["id"],
        "type": "customer.created",
        "redacted": True,
        "data": {
            "id": customer["id"],
            "external_reference": erased["external_reference"],
            "currency": "ZAR",
            "balance": 500,
        },
    }


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_whoever_reads_the_events_finds_the_same(shop: Shop, order: str) -> None:
    customer = a_customer(shop.client, **PERSON)
    erase(shop, customer)
    page = got(shop.client.get(f"{EVENTS}?object={customer['id']}&order={order}"))["data"]

    assert "Thandi" not in json.dumps(page)
    assert sorted(event.get("redacted", False) for event in page) == [False, True]
