"""What went wrong is sent again, by hand: one event, or those of a time; to one endpoint or to all."""

from itertools import pairwise
from threading import Event

from tests.contract.client import Answer
from tests.contract.samples import a_bill, a_payment, moment
from tests.failure.stand import wait_until
from tests.webhooks.receiver import answer
from tests.webhooks.scenarios.merchant import APPLIED, EVENTS, Hook, Shop, Told, applied, event_of, held
from tests.webhooks.scenarios.test_order import ATTEMPTS


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
