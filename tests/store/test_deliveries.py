"""Deliveries: what is due, who may send it, and what is left of it afterwards."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from owed.store import dispatch
from tests.store.queueing import (
    delivered,
    events_of,
    failed,
    queue,
    released,
    retried,
)


async def test_each_event_becomes_one_delivery_and_only_the_first_of_an_object_is_due(dsn: str, tenant: int) -> None:
    async with queue(dsn, tenant) as opened:
        first, second, other = await opened.happen("bill_a", "bill_a", "bill_b")
        await opened.take_up()
        waiting = await opened.waiting()
        assert set(waiting) == {first, second, other}
        assert {event for event, row in waiting.items() if row["due_at"]} == {first, other}
        await opened.happen("bill_a")
        await opened.take_up()
        assert sum(row["due_at"] is not None for row in (await opened.waiting()).values()) == 2


async def test_an_endpoint_gets_only_the_types_that_it_asked_for(dsn: str, tenant: int) -> None:
    async with queue(dsn, tenant, types="bill.paid bill.voided") as opened:
        await opened.happen("bill_a", kind="bill.updated")
        (paid,) = await opened.happen("bill_a", kind="bill.paid")
        await opened.take_up()
        assert list(await opened.waiting()) == [paid]


async def test_a_claim_takes_a_lane_in_its_order_and_nobody_else_gets_it_meanwhile(dsn: str, tenant: int) -> None:
    async with queue(dsn, tenant) as opened:
        first, second, other = await opened.happen("bill_a", "bill_a", "bill_b")
        await opened.take_up()
        assert events_of(await opened.claim()) == [[first, second], [other]]
        assert await opened.claim(token=2) == []


async def test_two_that_claim_at_once_share_the_lanes(dsn: str, tenant: int) -> None:
    async with queue(dsn, tenant) as opened:
        made = await opened.happen(*(f"bill_{number}" for number in range(40)))
        await opened.take_up()
        claims = await asyncio.gather(*(opened.claim(lanes=10, token=token) for token in range(1, 9)))
        claimed = [delivery.event_id for lanes in claims for lane in lanes for delivery in lane]
        assert sorted(claimed) == sorted(set(claimed))
        assert set(claimed) <= set(made)


async def test_what_is_delivered_leaves_and_the_next_of_its_object_is_due(dsn: str, tenant: int) -> None:
    async with queue(dsn, tenant) as opened:
        first, second = await opened.happen("bill_a", "bill_a")
        await opened.take_up()
        ((head, behind),) = await opened.claim()
        await opened.record(delivered(head), released(behind))
        waiting = await opened.waiting()
        assert list(waiting) == [second]
        assert waiting[second]["due_at"] <= datetime.now(UTC)
        assert waiting[second]["claim"] is None
        rows = await opened.watcher.fetch("SELECT * FROM delivery_attempt WHERE tenant_id = $1", tenant)
        assert [(row["event_id"], row["number"], row["status"], row["succeeded"]) for row in rows] == [
            (first, 1, 200, True)
        ]


async def test_one_that_lost_its_claim_records_nothing(dsn: str, tenant: int) -> None:
    async with queue(dsn, tenant, lease=0.0) as opened:
        await opened.happen("bill_a")
        await opened.take_up()
        ((late,),) = await opened.claim(token=1)
        ((current,),) = await opened.claim(token=2)
        await opened.record(delivered(late))
        assert (await opened.waiting())[late.event_id]["claim"] == 2
        assert not await opened.watcher.fetch("SELECT FROM delivery_attempt WHERE tenant_id = $1", tenant)
        await opened.record(delivered(current))
        assert await opened.waiting() == {}
        await opened.record(delivered(late))


async def test_a_retry_holds_back_those_behind_it_until_it_is_set_aside(dsn: str, tenant: int) -> None:
    async with queue(dsn, tenant) as opened:
        first, second = await opened.happen("bill_a", "bill_a")
        await opened.take_up()
        ((head, behind),) = await opened.claim()
        await opened.record(retried(head), released(behind))
        assert await opened.claim() == []
        waiting = await opened.waiting()
        assert waiting[first]["due_at"] > datetime.now(UTC) + timedelta(seconds=50)
        assert waiting[second]["due_at"] is None
        await opened.watcher.execute("UPDATE delivery SET due_at = now() WHERE event_id = $1", first)
        ((head, behind),) = await opened.claim()
        assert (head.is_late, head.attempts) == (True, 1)
        await opened.record(retried(head, out_of_order=True), released(behind))
        assert (await opened.waiting())[first]["lane"] == first
        assert events_of(await opened.claim()) == [[second]]


async def test_the_last_retry_leaves_a_delivery_that_is_never_due(dsn: str, tenant: int) -> None:
    async with queue(dsn, tenant) as opened:
        first, _ = await opened.happen("bill_a", "bill_b")
        await opened.take_up()
        (head,), (other,) = sorted(await opened.claim(), key=lambda lane: lane[0].lane)
        assert await opened.record(failed(head), delivered(other)) == []  # something got through meanwhile
        row = (await opened.waiting())[first]
        assert (row["due_at"], row["failed_at"] is not None, row["lane"]) == (None, True, first)
        assert await opened.claim() == []


async def test_an_endpoint_that_took_nothing_since_is_disabled_and_keeps_what_waits(
    dsn: str, merchants_tenant: int
) -> None:
    async with queue(dsn, merchants_tenant) as opened:
        first, second = await opened.happen("bill_a", "bill_a")
        await opened.take_up()
        assert await opened.receivers.find(opened.endpoint, datetime.now(UTC)) is not None
        ((head, behind),) = await opened.claim()
        assert await opened.record(failed(head), released(behind)) == ["failing"]
        row = await opened.watcher.fetchrow("SELECT * FROM webhook_endpoint WHERE tenant_id = $1", merchants_tenant)
        assert row is not None
        assert (row["enabled"], row["disabled_reason"], row["version"]) == (False, "failing", 2)
        assert set(await opened.waiting()) == {first, second}
        assert opened.endpoint not in await opened.receivers.look([])
        assert await opened.receivers.find(opened.endpoint, datetime.now(UTC)) is None


async def test_a_receiver_that_is_gone_is_disabled_at_once(dsn: str, tenant: int) -> None:
    async with queue(dsn, tenant) as opened:
        await opened.happen("bill_a", "bill_b")
        await opened.take_up()
        (head,), (other,) = await opened.claim()
        assert await opened.record(delivered(head)) == []
        assert await opened.record(failed(other, status=410)) == ["gone"]


async def test_redelivery_sends_what_was_delivered_and_what_failed_and_hurries_what_waits(
    dsn: str, tenant: int
) -> None:
    async with queue(dsn, tenant) as opened:
        done, bad, head, behind = await opened.happen("bill_a", "bill_b", "bill_c", "bill_c")
        await opened.take_up()
        lanes = {lane[0].lane: lane for lane in await opened.claim()}
        await opened.record(failed(lanes["bill_b"][0]), delivered(lanes["bill_a"][0]))
        await opened.record(retried(lanes["bill_c"][0]), released(lanes["bill_c"][1]))
        for event in (done, bad, behind):
            await opened.redeliver(event)
        await opened.take_up()
        assert events_of(await opened.claim()) == sorted([[done], [bad], [behind]])
        await opened.redeliver(head)
        await opened.take_up()
        assert events_of(await opened.claim()) == [[head]]


async def test_redelivery_of_what_is_being_sent_adds_nothing(dsn: str, tenant: int) -> None:
    async with queue(dsn, tenant) as opened:
        (event,) = await opened.happen("bill_a")
        await opened.take_up()
        ((sending,),) = await opened.claim()
        await opened.redeliver(event)
        await opened.take_up()
        assert await opened.claim(token=2) == []
        await opened.record(delivered(sending))
        assert await opened.waiting() == {}


async def test_redelivery_takes_an_event_from_behind_one_that_is_being_sent(dsn: str, tenant: int) -> None:
    async with queue(dsn, tenant) as opened:
        _, _, third = await opened.happen("bill_a", "bill_a", "bill_a")
        await opened.take_up()
        ((head, second, last),) = await opened.claim()
        await opened.redeliver(third)
        await opened.take_up()
        assert events_of(await opened.claim(token=2)) == [[third]]
        await opened.record(retried(head), released(second), released(last))
        assert (await opened.waiting())[third]["claim"] == 2
        assert await opened.broken_lanes() == []


async def test_redelivery_waits_for_no_replay_of_a_period(
    dsn: str, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "CHUNK", 2)
    async with queue(dsn, tenant) as opened:
        old = await opened.happen(*[f"bill_{number}" for number in range(10)])
        await opened.take_up()
        await opened.record(*(delivered(each) for lane in await opened.claim() for each in lane))
        await opened.replay(datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC))
        await opened.redeliver(old[-1])
        await opened.dispatch.step(opened.endpoint)
        assert [*await opened.waiting()] == [old[-1]]


async def test_a_replay_holds_up_nothing_that_happens_meanwhile(
    dsn: str, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "CHUNK", 2)
    async with queue(dsn, tenant) as opened:
        old = await opened.happen(*[f"bill_{number}" for number in range(10)])
        await opened.take_up()
        await opened.record(*(delivered(each) for lane in await opened.claim() for each in lane))
        await opened.replay(datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC))
        (new,) = await opened.happen("bill_new")
        await opened.dispatch.step(opened.endpoint)
        assert new in await opened.waiting()
        assert not set(old) <= set(await opened.waiting())


async def test_a_replay_sends_a_period_again_in_order_and_only_once_what_waits_anyway(dsn: str, tenant: int) -> None:
    async with queue(dsn, tenant) as opened:
        await opened.happen("bill_a")
        await opened.take_up()
        await opened.record(*(delivered(each) for lane in await opened.claim() for each in lane))
        await asyncio.sleep(0.002)  # the bounds of a replay are inclusive, and ids hold milliseconds
        since = datetime.now(UTC)
        done = await opened.happen("bill_a", "bill_a", "bill_b")
        await opened.take_up()
        await opened.record(*(delivered(each) for lane in await opened.claim() for each in lane))
        waits = await opened.happen("bill_b")
        await opened.take_up()
        await opened.replay(since, datetime.now(UTC))
        await opened.take_up()
        assert await opened.broken_lanes() == []
        found = [event for lane in events_of(await opened.claim()) for event in lane]
        assert set(found) <= {*done, *waits}
        assert set(await opened.waiting()) == {*done, *waits}


async def test_a_replay_of_what_failed_leaves_out_what_was_taken_and_what_was_never_tried(
    dsn: str, tenant: int
) -> None:
    async with queue(dsn, tenant) as opened:
        since = datetime.now(UTC) - timedelta(minutes=1)
        taken, bad = await opened.happen("bill_a", "bill_b")
        await opened.take_up()
        (first,), (second,) = sorted(await opened.claim(), key=lambda lane: lane[0].lane)
        await opened.record(failed(second), delivered(first))
        await opened.watcher.execute("DELETE FROM delivery WHERE tenant_id = $1", tenant)  # as if it was skipped
        await opened.replay(since, datetime.now(UTC), only_failed=True)
        await opened.take_up()
        assert events_of(await opened.claim()) == [[bad]]
        assert taken not in await opened.waiting()


async def test_whatever_happens_at_once_no_lane_is_forgotten_and_none_is_sent_out_of_order(
    dsn: str, tenant: int
) -> None:
    chance = random.Random(tenant)
    async with queue(dsn, tenant, lease=5.0) as opened:
        objects = [f"bill_{number}" for number in range(6)]
        happened: dict[str, list[str]] = {name: [] for name in objects}
        sent: list[str] = []

        async def happen() -> None:
            for _ in range(120):
                name = chance.choice(objects)
                happened[name] += await opened.happen(name)
                if chance.random() < 0.3:
                    await asyncio.sleep(0)

        async def work(token: int, until: asyncio.Event) -> None:
            while not until.is_set() or await opened.waiting():
                await opened.take_up()
                for lane in await opened.claim(lanes=2, token=token):
                    good = chance.randint(0, len(lane))
                    sent.extend(each.event_id for each in lane[:good])
                    rest = [retried(each, 0.0) for each in lane[good : good + 1]]
                    rest += [released(each) for each in lane[good + 1 :]]
                    await opened.record(*map(delivered, lane[:good]), *rest)

        over = asyncio.Event()
        workers = [asyncio.create_task(work(token, over)) for token in (1, 2, 3)]
        await happen()
        over.set()
        await asyncio.gather(*workers)
        await opened.take_up()
        assert await opened.waiting() == {}
        for name in objects:
            assert [event for event in sent if event in set(happened[name])] == happened[name]
