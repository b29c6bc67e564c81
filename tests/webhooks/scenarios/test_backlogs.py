"""Order and backlogs: what waits behind what, what becomes of what could not be delivered, and sending it again."""

from itertools import pairwise
from threading import Event
from typing import Final

import pytest

from tests.contract.client import Answer, Json
from tests.contract.samples import a_bill, a_payment, moment
from tests.failure.stand import wait_until
from tests.webhooks.receiver import answer, hang
from tests.webhooks.scenarios.conftest import IMPATIENT
from tests.webhooks.scenarios.merchant import EVENTS, Hook, Shop, held
from tests.webhooks.scenarios.tellings import APPLIED, Told, applied, by_object, event_of, told_by

ATTEMPTS: Final = 1 + len(IMPATIENT["OWED_WEBHOOK_RETRIES"].split(","))


def payments_of(shop: Shop, bill: Json, count: int) -> list[Told]:
    return [applied(a_payment(shop.client, bill=bill["id"])) for _ in range(count)]


def test_what_is_behind_a_failure_waits_and_other_objects_go_on(shop: Shop) -> None:
    hook = shop.hook()
    failing, fine = a_bill(shop.client), a_bill(shop.client)
    done = Event()
    hook.ear.plan_for(failing, held(done, answer(500)), *[answer(500)] * (ATTEMPTS - 2))
    first, second, third = payments_of(shop, failing, 3)
    others = payments_of(shop, fine, 3)
    wait_until(lambda: len(hook.ear.about(fine)) == len(others), "the other object goes on")
    assert len(hook.ear.about(failing)) == 1
    done.set()
    requests = shop.hears(hook, *[first] * ATTEMPTS, second, third, *others)
    assert not any(attempt["out_of_order"] for each in requests for attempt in hook.attempts(event_of(each)))


def test_events_that_come_while_one_fails_keep_their_order(shop: Shop) -> None:
    """Each fails once, before the next may go."""
    hook = shop.hook()
    bill = a_bill(shop.client)
    hook.ear.plan_for(bill, *[answer(500), answer(204)] * 4)
    told = [each for payment in payments_of(shop, bill, 4) for each in (payment, payment)]
    shop.hears(hook, *told)


def test_a_slow_endpoint_does_not_delay_another(shop: Shop) -> None:
    slow, fast = shop.hook(), shop.hook()
    bills = [a_bill(shop.client) for _ in range(8)]
    slow.ear.default = hang
    payment = a_payment(shop.client, 800, applications=[{"bill": bill["id"], "amount": 100} for bill in bills])
    payments = [applied(payment, number) for number in range(len(bills))]
    shop.hears(fast, *payments)
    # The fast one has it all, and closed its story, before the slow one was given up for the first time.
    assert not {"last_success_at", "last_failure_at"} & slow.status.keys()
    slow.ear.default = answer()
    shop.drain(slow)
    heard = {event_of(request): told_by(request) for request in slow.news()}
    assert by_object(heard.values()) == by_object(payments)


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
    done = Event()
    hook.ear.plan_for(bill, held(done, answer(500)), *[answer(500)] * (ATTEMPTS - 1))
    first, second = payments_of(shop, bill, 2)
    wait_until(lambda: hook.ear.about(bill), "the first attempt is made")
    others = payments_of(shop, another, 1)
    wait_until(lambda: "last_success_at" in hook.status, "another succeeds")
    done.set()
    wait_until(lambda: hook.status["failed"] == 1, "the last retry is used up")
    assert hook.shown["enabled"]
    shop.drain(hook)
    assert by_object(map(told_by, hook.news())) == by_object([*[first] * ATTEMPTS, second, *others])
    event = event_of(hook.ear.about(bill)[0])
    assert hook.waits_for(event) == {
        "endpoint_id": hook.id, "attempts": ATTEMPTS, "out_of_order": True, "failed": True,
    }  # fmt: skip
    assert [attempt["succeeded"] for attempt in hook.attempts(event)] == [False] * ATTEMPTS
    assert "next_attempt_at" not in hook.attempts(event)[-1]


# Sending again


def redeliver(shop: Shop, event: str, hook: Hook | None = None) -> Answer:
    """Ask for an event again, at one endpoint or at all that take its type."""
    path = f"{EVENTS}/{event}/redeliver"
    return shop.client.post(path, {"endpoint": hook.id}) if hook else shop.client.send("POST", path)


def sent_to(answer: Answer) -> set[str]:
    """Give the endpoints to which an event is sent again."""
    assert answer.status == 202, answer.body
    return {each["endpoint_id"] for each in answer.json()["data"]}


def test_an_event_is_sent_again_to_one_endpoint_or_to_all_that_take_its_type(shop: Shop) -> None:
    one, other, disabled = shop.hook(), shop.hook(events=["*"]), shop.hook(enabled=False)
    stranger = shop.hook(events=["bill.voided", "customer.updated"])
    payment = applied(a_payment(shop.client, bill=a_bill(shop.client)["id"]))
    (first,) = shop.hears(one, payment)
    shop.drain(other)
    other.news()
    event = event_of(first)

    assert sent_to(redeliver(shop, event, one)) == {one.id}
    (again,) = shop.hears(one, payment)
    assert (event_of(again), again.body) == (event, first.body)
    shop.hears(other)
    assert [attempt["out_of_order"] for attempt in one.attempts(event)] == [False, True]

    assert sent_to(redeliver(shop, event)) == {one.id, other.id}
    shop.hears(one, payment)
    shop.hears(other, payment)

    # One that is named gets it whatever its types, unless it is disabled.
    assert sent_to(redeliver(shop, event, stranger)) == {stranger.id}
    wait_until(lambda: stranger.requests, "it is sent")
    assert redeliver(shop, event, disabled).status == 409
    shop.hears(one)
    shop.hears(other)
    assert ([event_of(request) for request in stranger.news()], disabled.news()) == ([event], [])


def test_an_event_that_nobody_takes_cannot_be_sent_again(shop: Shop) -> None:
    hook = shop.hook(events=["*"])
    bill = a_bill(shop.client)
    shop.drain(hook)
    (event,) = [event_of(request) for request in hook.ear.about(bill)]
    hook.change(events=[APPLIED])
    assert redeliver(shop, event).status == 409


def test_what_used_up_its_last_retry_is_sent_by_hand(shop: Shop) -> None:
    hook = shop.hook()
    bill, another = a_bill(shop.client), a_bill(shop.client)
    done = Event()
    hook.ear.plan_for(bill, held(done, answer(500)), *[answer(500)] * (ATTEMPTS - 1))
    failed = applied(a_payment(shop.client, bill=bill["id"]))
    wait_until(lambda: hook.ear.about(bill), "the first attempt is made")
    fine = applied(a_payment(shop.client, bill=another["id"]))
    wait_until(lambda: "last_success_at" in hook.status, "another succeeds")
    done.set()
    wait_until(lambda: hook.status["failed"] == 1, "its last retry is used up")
    event = event_of(hook.ear.about(bill)[0])
    assert sent_to(redeliver(shop, event)) == {hook.id}
    shop.hears(hook, *[failed] * ATTEMPTS, failed, fine)
    assert hook.status["failed"] == 0


def five_payments(shop: Shop) -> list[Told]:
    """Make payments of one bill, at different times."""
    bill = a_bill(shop.client)
    payments = [applied(a_payment(shop.client, bill=bill["id"])) for _ in range(5)]
    times = [moment(payment.data["created_at"]) for payment in payments]
    assert all(earlier < later for earlier, later in pairwise(times))
    return payments


def test_the_events_of_a_time_are_sent_again(shop: Shop) -> None:
    """What is counted first is what then comes, and what is only counted does not."""
    hook, other = shop.hook(), shop.hook()
    payments = five_payments(shop)
    shop.hears(hook, *payments)
    shop.hears(other, *payments)
    since, until = payments[1].data["created_at"], payments[3].data["created_at"]
    counted = hook.replay(since=since, until=until, dry_run=True)
    assert counted["count"] == 3
    assert (counted["types"], counted["only_failed"], "id" in counted) == ([APPLIED], False, False)
    shop.hears(hook)
    assert hook.replay(since=since, until=until)["count"] == 3
    shop.hears(hook, *payments[1:4])
    shop.hears(other)


def test_a_replay_is_until_now_and_of_the_types_of_the_endpoint_unless_it_says_otherwise(shop: Shop) -> None:
    hook = shop.hook()
    payments = five_payments(shop)
    shop.hears(hook, *payments)
    bill = a_bill(shop.client)
    since = payments[3].data["created_at"]
    # Two of the five, and the one that closed the first part of the story.
    assert hook.replay(since=since)["count"] == 3
    shop.hears(hook, *payments[3:])
    assert hook.replay(since=since, types=["bill.created"])["count"] == 1
    shop.hears(hook, Told("bill.created", bill))


def test_only_what_failed_is_sent_again(shop: Shop) -> None:
    hook = shop.hook()
    bills = [a_bill(shop.client) for _ in range(4)]
    done = Event()
    for bill in bills[:2]:
        hook.ear.plan_for(bill, held(done, answer(500)), *[answer(500)] * (ATTEMPTS - 1))
    failed = [applied(a_payment(shop.client, bill=bill["id"])) for bill in bills[:2]]
    wait_until(lambda: all(hook.ear.about(bill) for bill in bills[:2]), "the first attempts are made")
    fine = [applied(a_payment(shop.client, bill=bill["id"])) for bill in bills[2:]]
    wait_until(lambda: "last_success_at" in hook.status, "another succeeds")
    done.set()
    wait_until(lambda: hook.status["failed"] == 2, "the last retries are used up")
    assert hook.shown["enabled"]

    since = failed[0].data["created_at"]
    assert hook.replay(since=since, dry_run=True)["count"] == 4
    assert hook.replay(since=since, only_failed=True, dry_run=True)["count"] == 2
    assert hook.replay(since=since, only_failed=True)["count"] == 2
    shop.hears(hook, *failed * ATTEMPTS, *failed, *fine)
    assert hook.replay(since=since, only_failed=True)["count"] == 0
    shop.hears(hook)


def test_nothing_is_replayed_to_an_endpoint_that_is_disabled(shop: Shop) -> None:
    hook = shop.hook()
    payments = five_payments(shop)
    shop.hears(hook, *payments)
    hook.change(enabled=False)
    for dry_run in (True, False):
        asked = {"since": payments[0].data["created_at"], "dry_run": dry_run}
        assert shop.client.post(f"{hook.path}/replay", asked).status == 409
    hook.change(enabled=True, backlog="resume")
    shop.hears(hook)
