"""What an endpoint gets that is enabled again: all of its backlog, each lane in order, or none of it."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
import pytest

from owed.model.delivery import Claimed, Outcome
from owed.store import resuming
from tests.store.queueing import PAST, Queue, attempt, delivered, events_of, failed, queue, released, retried


async def test_an_endpoint_that_resumes_gets_all_of_its_backlog_at_once_and_in_order(
    dsn: str, merchants_tenant: int
) -> None:
    async with queue(dsn, merchants_tenant) as opened:
        a1, a2, b1, b2, c1 = await opened.happen("bill_a", "bill_a", "bill_b", "bill_b", "bill_c")
        await opened.take_up()
        lanes = {lane[0].lane: lane for lane in await opened.claim()}
        await opened.record(retried(lanes["bill_a"][0]), released(lanes["bill_a"][1]))
        await opened.record(failed(lanes["bill_b"][0]), released(lanes["bill_b"][1]), released(lanes["bill_c"][0]))
        before = await opened.receivers.find(opened.endpoint, datetime.now(UTC))
        assert before is None  # it was disabled
        await opened.change("enabled = true, disabled_reason = NULL, resumed_at = now() + interval '1 ms'")
        begun = await opened.receivers.find(opened.endpoint, datetime.now(UTC))
        assert begun is not None
        assert begun.is_resuming
        await opened.take_up()
        assert await opened.broken_lanes() == []
        assert events_of(await opened.claim()) == [[a1, a2], [b1, b2], [c1]]


async def test_a_receiver_that_rests_gets_nothing_until_then_unless_it_is_enabled_again(
    dsn: str, merchants_tenant: int
) -> None:
    async with queue(dsn, merchants_tenant) as opened:
        await opened.happen("bill_a")
        await opened.take_up()
        ((head,),) = await opened.claim()
        busy = msgspec.structs.replace(retried(head, 0.0), attempt=attempt(503), rest=86_400.0)
        await opened.record(busy)
        assert await opened.receivers.find(opened.endpoint, datetime.now(UTC)) is None
        assert opened.endpoint not in await opened.receivers.look([])
        await opened.change("resumed_at = now()")
        assert opened.endpoint in await opened.receivers.look([])
        await opened.take_up()
        assert await opened.receivers.find(opened.endpoint, datetime.now(UTC)) is not None
        assert events_of(await opened.claim()) == [[head.event_id]]


async def test_a_backlog_of_many_lanes_is_resumed_step_by_step(
    dsn: str, merchants_tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming, "STEP", 2)
    async with queue(dsn, merchants_tenant) as opened:
        made = {
            name: await opened.happen(*[name] * count) for name, count in (("bill_a", 5), ("bill_b", 1), ("bill_c", 3))
        }
        await opened.take_up()
        lanes = {lane[0].lane: lane for lane in await opened.claim()}
        for name, lane in lanes.items():
            first = failed(lane[0]) if name != "bill_b" else retried(lane[0])
            await opened.record(first, *map(released, lane[1:]))
        await opened.change("enabled = true, disabled_reason = NULL, resumed_at = now() + interval '1 ms'")
        await opened.take_up()
        assert await opened.broken_lanes() == []
        assert events_of(await opened.claim()) == sorted(made.values())


async def test_what_a_worker_still_has_when_its_endpoint_resumes_is_not_due_beside_it(
    dsn: str, merchants_tenant: int
) -> None:
    async with queue(dsn, merchants_tenant) as opened:
        first, second = await opened.happen("bill_a", "bill_a")
        await opened.take_up()
        ((head, behind),) = await opened.claim()
        await opened.change("resumed_at = now() + interval '1 ms'")
        await opened.take_up()
        assert await opened.broken_lanes() == []
        assert await opened.claim(token=2) == []
        await opened.record(delivered(head), released(behind))
        assert events_of(await opened.claim(token=2)) == [[second]]
        assert first not in await opened.waiting()


async def test_an_endpoint_that_skips_gets_only_what_comes_after(dsn: str, tenant: int) -> None:
    async with queue(dsn, tenant) as opened:
        await opened.happen("bill_a", "bill_a")
        await opened.take_up()
        await opened.happen("bill_a")
        skipped_at = datetime.now(UTC)
        await opened.replay(skipped_at - timedelta(minutes=1), skipped_at)
        await opened.change("starts_at = $3, resumed_at = $3", datetime.now(UTC))
        made = await opened.happen("bill_a", "bill_b")
        await opened.take_up()
        assert sorted(event for lane in await opened.claim() for event in [each.event_id for each in lane]) == made


async def test_what_is_skipped_stays_skipped_when_it_is_resumed_before_anyone_acted(dsn: str, tenant: int) -> None:
    async with queue(dsn, tenant) as opened:
        await opened.happen("bill_a", "bill_b")
        await opened.take_up()
        await opened.change("starts_at = $3, resumed_at = $3", datetime.now(UTC))
        await opened.change("resumed_at = $3", datetime.now(UTC) + timedelta(milliseconds=1))
        made = await opened.happen("bill_a")
        await opened.take_up()
        assert events_of(await opened.claim()) == [made]


async def test_what_is_set_aside_while_its_endpoint_resumes_is_not_forgotten(dsn: str, tenant: int) -> None:
    async with queue(dsn, tenant) as opened:
        (event,) = await opened.happen("bill_a")
        await opened.take_up()
        ((sending,),) = await opened.claim()
        await opened.change("resumed_at = now()")
        await opened.dispatch.step(opened.endpoint)
        await opened.record(retried(sending, out_of_order=True))
        await opened.take_up()
        assert await opened.broken_lanes() == []
        assert events_of(await opened.claim()) == [[event]]


@pytest.mark.parametrize("fate", ["gone", "resting", "given up", "retried", "set aside"])
async def test_what_fails_at_an_earlier_url_is_sent_to_the_next_and_says_nothing_of_it(
    dsn: str, merchants_tenant: int, fate: str
) -> None:
    async with queue(dsn, merchants_tenant) as opened:
        first, second = await opened.happen("bill_a", "bill_a")
        await opened.take_up()
        ((sending, behind),) = await opened.claim()
        before = await opened.receivers.find(opened.endpoint, datetime.now(UTC))
        assert before is not None
        await opened.change("resumed_at = now()")
        await opened.take_up()
        outcome = msgspec.structs.replace(FATES[fate](sending), resumed_at=before.resumed_at)
        assert await opened.record(outcome, released(behind)) == []
        await opened.take_up()
        assert await opened.broken_lanes() == []
        receiver = await opened.receivers.find(opened.endpoint, datetime.now(UTC))
        assert receiver is not None
        assert not receiver.is_resuming
        ((again, last),) = await opened.claim()
        assert [again.event_id, last.event_id] == [first, second]
        assert again.attempts == 0


async def test_what_fails_at_an_earlier_url_undoes_no_skip(dsn: str, tenant: int) -> None:
    async with queue(dsn, tenant) as opened:
        await opened.happen("bill_a")
        await opened.take_up()
        ((sending,),) = await opened.claim()
        await opened.change("starts_at = $3, resumed_at = $3", datetime.now(UTC))
        (made,) = await opened.happen("bill_b")
        await opened.take_up()
        await opened.record(msgspec.structs.replace(retried(sending), resumed_at=PAST))
        await opened.take_up()
        assert events_of(await opened.claim()) == [[made]]


@pytest.mark.parametrize("seed", range(3))
async def test_after_each_step_each_lane_has_one_that_is_due(
    dsn: str, tenant: int, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(resuming, "STEP", 3)
    chance = random.Random(seed)
    async with queue(dsn, tenant) as opened:
        events = await opened.happen(*(f"bill_{number % 4}" for number in range(40)))
        await opened.take_up()
        await leave_scattered(opened, chance)
        await opened.change("enabled = true, disabled_reason = NULL, resumed_at = now()")
        while await opened.dispatch.step(opened.endpoint):
            assert await opened.broken_lanes() == []
        lanes = events_of(await opened.claim())
        assert sorted(event for lane in lanes for event in lane) == sorted(events)
        assert all(lane == sorted(lane) for lane in lanes)


async def leave_scattered(opened: Queue, chance: random.Random) -> None:
    """Let each delivery fail, be set aside, or be retried later."""
    while lanes := await opened.claim(lanes=4):
        for first, *behind in lanes:
            await opened.record(ill_fated(first, chance.random()), *map(released, behind))


def resting(delivery: Claimed) -> Outcome:
    return msgspec.structs.replace(retried(delivery), rest=86_400.0)


FATES: dict[str, Callable[[Claimed], Outcome]] = {
    "gone": partial(failed, status=410),
    "resting": resting,
    "given up": failed,
    "retried": retried,
    "set aside": partial(retried, out_of_order=True),
}


def ill_fated(delivery: Claimed, chance: float) -> Outcome:
    return failed(delivery) if chance < 0.4 else retried(delivery, out_of_order=chance < 0.8)
