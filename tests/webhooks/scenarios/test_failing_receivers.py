"""Receivers fail in every way that they know: each event is attempted again on schedule, until it is taken."""

from datetime import timedelta
from typing import Final

import pytest

from tests.contract.client import Json
from tests.contract.samples import a_bill, a_payment, moment
from tests.failure.stand import wait_until
from tests.webhooks.receiver import (
    Request,
    Script,
    answer,
    close,
    cut_short,
    drip,
    flood,
    gzip_bomb,
    hang,
    raw,
    redirect,
    reset,
)
from tests.webhooks.scenarios.conftest import IMPATIENT
from tests.webhooks.scenarios.merchant import Hook, Shop, rests_until
from tests.webhooks.scenarios.tellings import applied, event_of, verifies

PAUSES: Final = [float(pause) for pause in IMPATIENT["OWED_WEBHOOK_RETRIES"].split(",")]
PATIENCE_MS: Final = 1000 * float(IMPATIENT["OWED_WEBHOOK_TIMEOUT"])
LATE: Final = timedelta(seconds=2)
"""How late an attempt may be on a busy machine."""


def failures(hook: Hook, request: Request) -> list[Json]:
    """Give the failed attempts to deliver what a request was about, which are all but the last."""
    *failed, last = hook.attempts(event_of(request))
    assert (last["succeeded"], last["status"], "error" in last, "next_attempt_at" in last) == (True, 204, False, False)
    assert not any(attempt["succeeded"] for attempt in failed)
    return failed


def follows(earlier: Json, later: Json, pause: float) -> None:
    """Expect that an attempt was announced after its pause and a tenth more at most, and made when announced."""
    end = moment(earlier["attempted_at"]) + timedelta(milliseconds=earlier["duration_ms"])
    announced = moment(earlier["next_attempt_at"])
    assert timedelta(seconds=pause - 0.002) <= announced - end <= timedelta(seconds=1.1 * pause) + LATE
    assert announced <= moment(later["attempted_at"]) <= announced + LATE


def test_every_2xx_takes_an_event_whatever_it_says(shop: Shop) -> None:
    hook = shop.hook()
    bill = a_bill(shop.client)
    hook.ear.plan_for(bill, answer(200, b'{"error": "no"}'), answer(202), raw(b"HTTP/1.1 299 \r\n\r\nbye"), answer(201))
    payments = [applied(a_payment(shop.client, bill=bill["id"])) for _ in range(4)]
    requests = shop.hears(hook, *payments)
    (attempts,) = zip(*[hook.attempts(event_of(request)) for request in requests], strict=True)
    assert [attempt["status"] for attempt in attempts] == [200, 202, 299, 201]


def test_an_error_is_tried_again_on_schedule(shop: Shop) -> None:
    """The id stays, the time and the signature are those of each attempt, and each verifies."""
    hook = shop.hook()
    bill = a_bill(shop.client)
    hook.ear.plan_for(bill, answer(500, b"out of order"), answer(404), answer(503), answer(199 + 200))
    payment = applied(a_payment(shop.client, bill=bill["id"]))
    requests = shop.hears(hook, *[payment] * 5)
    assert len({(event_of(request), request.body) for request in requests}) == 1
    attempts = hook.attempts(event_of(requests[0]))
    assert [attempt["number"] for attempt in attempts] == [1, 2, 3, 4, 5]
    assert [attempt["status"] for attempt in attempts] == [500, 404, 503, 399, 204]
    assert [attempt["succeeded"] for attempt in attempts] == [False, False, False, False, True]
    assert (attempts[0]["answer"], attempts[0]["address"]) == ("out of order", "127.0.0.1")
    assert not any(attempt["out_of_order"] for attempt in attempts)
    for earlier, later, pause in zip(attempts, attempts[1:], PAUSES, strict=False):
        follows(earlier, later, pause)


def test_each_attempt_has_a_time_and_a_signature_of_its_own(shop: Shop) -> None:
    """A receiver that never answers, and one that never ends, are given up when their time is over."""
    silent, slow = shop.hook(), shop.hook()
    bill = a_bill(shop.client)
    silent.ear.plan_for(bill, hang)
    slow.ear.plan_for(bill, drip)
    payment = applied(a_payment(shop.client, bill=bill["id"]))
    for hook, status in ((silent, None), (slow, 200)):
        first, second = shop.hears(hook, payment, payment)
        assert event_of(first) == event_of(second)
        assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) >= 2
        assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
        assert not verifies(hook.secret, first._replace(headers=second.headers | {"webhook-timestamp": "1"}))
        (failed,) = failures(hook, first)
        assert failed.get("status") == status
        assert "timed out" in failed["error"]
        assert PATIENCE_MS - 10 <= failed["duration_ms"] <= PATIENCE_MS + 2000


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (reset, "connection reset"),
        (close(), "connection closed"),
        (cut_short(), "connection closed"),
        (raw(b"SSH-2.0-OpenSSH_9.9\r\n"), "not HTTP"),
    ],
)
def test_a_connection_that_breaks_is_a_failure(shop: Shop, script: Script, error: str) -> None:
    hook = shop.hook()
    bill = a_bill(shop.client)
    hook.ear.plan_for(bill, script)
    payment = applied(a_payment(shop.client, bill=bill["id"]))
    request, _ = shop.hears(hook, payment, payment)
    (failed,) = failures(hook, request)
    assert error in failed["error"]


def test_redirects_are_failures_and_are_not_followed(shop: Shop) -> None:
    hook, elsewhere = shop.hook(), shop.ear()
    bills = [a_bill(shop.client), a_bill(shop.client)]
    statuses = [[301, 302, 303], [307, 308]]
    for bill, wanted in zip(bills, statuses, strict=True):
        hook.ear.plan_for(bill, *[redirect(elsewhere.url, status) for status in wanted])
    first, second = [applied(a_payment(shop.client, bill=bill["id"])) for bill in bills]
    requests = shop.hears(hook, *[first] * 4, *[second] * 3)
    failed = {event_of(request): failures(hook, request) for request in requests}
    assert sorted([attempt["status"] for attempt in each] for each in failed.values()) == statuses
    assert all("redirect" in attempt["error"] for each in failed.values() for attempt in each)
    assert elsewhere.requests == []


def test_of_a_huge_answer_only_the_beginning_is_read(shop: Shop) -> None:
    """What it says at its beginning counts; 2 KiB of it are kept, and it takes no time."""
    hook = shop.hook()
    huge = answer(500, b"x" * 1_000_000)
    taken, failed, packed = [a_bill(shop.client) for _ in range(3)]
    hook.ear.plan_for(taken, flood)
    hook.ear.plan_for(failed, huge)
    hook.ear.plan_for(packed, gzip_bomb())
    payments = [applied(a_payment(shop.client, bill=bill["id"])) for bill in (taken, failed, failed, packed)]
    shop.hears(hook, *payments[:2], *payments[1:])
    answers = [hook.attempts(event_of(hook.ear.about(bill)[0]))[0] for bill in (taken, failed, packed)]
    assert [(attempt["status"], attempt["succeeded"]) for attempt in answers] == [
        (200, True),
        (500, False),
        (200, True),
    ]
    assert [len(attempt["answer"]) for attempt in answers[:2]] == [2048, 2048]
    assert len(answers[2]["answer"]) <= 2048
    assert all(attempt["duration_ms"] < PATIENCE_MS for attempt in answers)


def test_410_disables_the_endpoint(shop: Shop) -> None:
    """Nothing more comes until it is enabled; it keeps its backlog."""
    hook, other = shop.hook(), shop.hook()
    bill = a_bill(shop.client)
    hook.ear.plan_for(bill, answer(410))
    first = applied(a_payment(shop.client, bill=bill["id"]))
    wait_until(lambda: not hook.shown["enabled"], "the endpoint is disabled")
    assert hook.shown["disabled_reason"] == "gone"
    second = applied(a_payment(shop.client, bill=bill["id"]))
    shop.hears(other, first, second)
    assert len(hook.news()) == 1
    # Both wait, and what closed the other endpoint's story.
    assert hook.status["pending"] == 3
    hook.change(enabled=True, backlog="resume")
    shop.hears(hook, first, second)


def test_a_receiver_that_asks_for_a_rest_gets_it(shop: Shop) -> None:
    """Nothing is sent to it meanwhile, not even what is new, and afterwards all of it."""
    other, *tired = shop.hook(), shop.hook(), shop.hook()
    bill, another = a_bill(shop.client), a_bill(shop.client)
    for hook, status in zip(tired, (429, 503), strict=True):
        hook.ear.rest_for(bill, status)
    first = applied(a_payment(shop.client, bill=bill["id"]))
    ends = [rests_until(hook) for hook in tired]
    second = applied(a_payment(shop.client, bill=another["id"]))
    shop.hears(other, first, second)
    for hook, end in zip(tired, ends, strict=True):
        early, *late = shop.hears(hook, first, first, second)
        assert all(request.at >= max(end, early.at + timedelta(seconds=2)) for request in late)
        assert "resting_until" not in hook.status


def test_429_without_a_time_is_like_any_other_failure(shop: Shop) -> None:
    hook = shop.hook()
    bill = a_bill(shop.client)
    hook.ear.plan_for(bill, answer(429), answer(429, headers={"Retry-After": "soon"}))
    payment = applied(a_payment(shop.client, bill=bill["id"]))
    first, *_ = shop.hears(hook, *[payment] * 3)
    attempts = hook.attempts(event_of(first))
    assert [attempt["status"] for attempt in attempts] == [429, 429, 204]
    for earlier, later, pause in zip(attempts, attempts[1:], PAUSES, strict=False):
        follows(earlier, later, pause)
