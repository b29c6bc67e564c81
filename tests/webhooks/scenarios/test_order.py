"""Order and backlogs: what waits behind what, what does not, and what becomes of that which could not be delivered."""

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.contract.client import Json
from tests.contract.samples import a_bill, a_payment
from tests.contract.service import Service
from tests.failure.stand import wait_until
from tests.webhooks.receiver import answer, hang
from tests.webhooks.scenarios.conftest import IMPATIENT
from tests.webhooks.scenarios.merchant import Shop, Told, applied, by_object, event_of, told_by

ATTEMPTS: Final = 1 + len(IMPATIENT["OWED_WEBHOOK_RETRIES"].split(","))
SECONDS: Final = float(IMPATIENT["OWED_WEBHOOK_TIMEOUT"])


def payments_of(shop: Shop, bill: Json, count: int) -> list[Told]:
    return [applied(a_payment(shop.client, bill=bill["id"])) for _ in range(count)]


def test_what_is_behind_a_failure_waits_and_other_objects_go_on(shop: Shop) -> None:
    hook = shop.hook()
    failing, fine = a_bill(shop.client), a_bill(shop.client)
    hook.ear.plan_for(failing, *[answer(500)] * (ATTEMPTS - 1))
    first, second, third = payments_of(shop, failing, 3)
    others = payments_of(shop, fine, 3)
    requests = shop.hears(hook, *[first] * ATTEMPTS, second, third, *others)
    # The other object was done while this one was still at its first event.
    last = hook.ear.about(failing)[ATTEMPTS - 1]
    assert all(request.at < last.at for request in hook.ear.about(fine))
    assert not any(attempt["out_of_order"] for each in requests for attempt in hook.attempts(event_of(each)))


def test_events_that_come_while_one_fails_keep_their_order(shop: Shop) -> None:
    """Each fails once, before the next may go."""
    hook = shop.hook()
    bill = a_bill(shop.client)
    hook.ear.plan_for(bill, *[answer(500), answer(204)] * 4)
    told = [each for payment in payments_of(shop, bill, 4) for each in (payment, payment)]
    shop.hears(hook, *told)


@pytest.fixture
def hasty_shop(serve_alone: Callable[..., Service]) -> Iterator[Shop]:
    """A merchant of a service where an event that fails holds back the later ones of its object for a second."""
    settings = {"OWED_WEBHOOK_RETRIES": "0.2,2.5,0.2", "OWED_WEBHOOK_ORDER_SECONDS": "1"}
    service = serve_alone(**IMPATIENT | settings)
    opened = Shop(service.client(service.merchant("Hasty").keys["sk_test"]))
    yield opened
    opened.close()


def test_what_fails_for_too_long_is_set_aside_and_marked_out_of_order(hasty_shop: Shop) -> None:
    shop = hasty_shop
    hook = shop.hook()
    bill = a_bill(shop.client)
    hook.ear.plan_for(bill, answer(500), answer(500))
    first, second, third = payments_of(shop, bill, 3)
    requests = shop.hears(hook, first, first, second, third, first)
    marks = [[attempt["out_of_order"] for attempt in hook.attempts(event_of(each))] for each in requests[1:4]]
    assert marks == [[False, False, True], [False], [False]]
    assert (requests[2].at - requests[0].at).total_seconds() >= 1


def test_a_slow_endpoint_does_not_delay_another(shop: Shop) -> None:
    slow, fast = shop.hook(), shop.hook()
    bills = [a_bill(shop.client) for _ in range(12)]
    slow.ear.default = hang
    payments = [told for bill in bills for told in payments_of(shop, bill, 1)]
    shop.hears(fast, *payments)
    wait_until(lambda: slow.requests, "the slow one is asked")
    began, done = slow.requests[0].at, fast.requests[-1].at
    assert (done - began).total_seconds() < SECONDS
    assert "last_success_at" not in slow.status
    slow.ear.default = answer()
    shop.drain(slow)
    heard = {event_of(request) for request in slow.requests}
    assert {event_of(request) for request in fast.requests} <= heard


def test_the_last_retry_disables_the_endpoint_which_keeps_its_backlog(shop: Shop) -> None:
    """Enabling it asks what is to become of that; resumed, it gets all of it."""
    hook, other = shop.hook(), shop.hook()
    bill, another = a_bill(shop.client), a_bill(shop.client)
    hook.ear.default = answer(500)
    first, second = payments_of(shop, bill, 2)
    wait_until(lambda: not hook.shown["enabled"], "the endpoint is disabled")
    assert hook.shown["disabled_reason"] == "failing"
    third = payments_of(shop, another, 1)[0]
    shop.hears(other, first, second, third)
    assert [event_of(request) for request in hook.news()] == [event_of(other.requests[0])] * ATTEMPTS
    # What closed the other's story waits as well.
    assert (hook.status["pending"], hook.status["failed"]) == (3, 1)
    assert "next_attempt_at" not in hook.status
    hook.ear.default = answer()
    refused = shop.client.patch(hook.path, {"enabled": True})
    assert (refused.status, refused.pointers) == (400, ["/backlog"])
    hook.change(enabled=True, backlog="resume")
    shop.hears(hook, first, second, third)


def test_what_was_missed_may_be_skipped(shop: Shop) -> None:
    hook, other = shop.hook(), shop.hook()
    bill = a_bill(shop.client)
    hook.ear.default = answer(500)
    missed = payments_of(shop, bill, 2)
    wait_until(lambda: not hook.shown["enabled"], "the endpoint is disabled")
    missed += payments_of(shop, bill, 1)
    shop.hears(other, *missed)
    hook.news()
    hook.ear.default = answer()
    hook.change(enabled=True, backlog="skip")
    shop.hears(hook, *payments_of(shop, bill, 2))
    assert (hook.status["pending"], hook.status["failed"]) == (0, 0)


@pytest.mark.parametrize("backlog", ["resume", "skip"])
def test_an_endpoint_that_is_disabled_by_request_gets_nothing_until_it_is_enabled(shop: Shop, backlog: str) -> None:
    hook, other = shop.hook(), shop.hook()
    bill = a_bill(shop.client)
    before = payments_of(shop, bill, 1)
    shop.hears(hook, *before)
    assert hook.change(enabled=False)["disabled_reason"] == "requested"
    missed = payments_of(shop, bill, 3)
    shop.hears(other, *before, *missed)
    assert hook.news() == []
    hook.change(enabled=True, backlog=backlog)
    after = payments_of(shop, bill, 2)
    shop.hears(hook, *(missed if backlog == "resume" else []), *after)


def test_a_success_in_between_keeps_an_endpoint_enabled(shop: Shop) -> None:
    """The event that used up its last retry has failed; it holds nothing back, and everything else goes on."""
    hook = shop.hook()
    bill, another = a_bill(shop.client), a_bill(shop.client)
    hook.ear.plan_for(bill, *[answer(500)] * ATTEMPTS)
    first, second = payments_of(shop, bill, 2)
    wait_until(lambda: hook.ear.about(bill), "it fails")
    others = payments_of(shop, another, 1)
    wait_until(lambda: hook.status["failed"] == 1, "its last retry is used up")
    assert hook.shown["enabled"]
    shop.drain(hook)
    assert by_object(map(told_by, hook.news())) == by_object([*[first] * ATTEMPTS, second, *others])
    event = event_of(hook.ear.about(bill)[0])
    assert (hook.waits_for(event) or {})["failed"]
    assert [attempt["succeeded"] for attempt in hook.attempts(event)] == [False] * ATTEMPTS
    assert "next_attempt_at" not in hook.attempts(event)[-1]
