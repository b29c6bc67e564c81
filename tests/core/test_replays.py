"""Redelivery and replay: who gets an event again, and which refusals stand in the way."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import UNSET

from owed.core.command import Command
from owed.core.journal import Journal
from owed.core.outcomes import Code, Done, Fault, Outcome, Refused
from owed.core.replays import Redeliver, Redelivery, ReplayEvents
from owed.core.state import State
from owed.model.replay import Replay
from owed.model.webhook_endpoint import DisabledReason, Secret, WebhookEndpoint
from tests.core.samples import JANE, NOW, SECOND, Stamps

EVENT = "evt_1"
CREATED = "customer.created"
BROKEN = Fault("/endpoint", "This is broken.")


def an_endpoint(endpoint_id: str, *types: str, enabled: bool = True, deleted_at: datetime | None = None) -> Any:
    return WebhookEndpoint(
        tenant_id=1,
        id=endpoint_id,
        url="https://example.com",
        types=types or ("*",),
        enabled=enabled,
        disabled_reason=None if enabled else DisabledReason.GONE,
        secrets=(Secret(id="sec_1", value="whsec_AAAA", created_at=NOW),),
        starts_at=NOW,
        resumed_at=NOW,
        deleted_at=deleted_at,
        created_at=NOW,
        updated_at=NOW,
    )


ALL, CUSTOMERS, BILLS = an_endpoint("we_1"), an_endpoint("we_2", CREATED), an_endpoint("we_3", "bill.created")
OFF, GONE = an_endpoint("we_4", enabled=False), an_endpoint("we_5", deleted_at=NOW)


def decided(command: Command, *endpoints: WebhookEndpoint) -> tuple[Outcome, State]:
    """Decide a command on some endpoints, and let what it did stand."""
    state = State(endpoints)
    journal = Journal(command.tenant_id, command.actor, Stamps()())
    outcome = command.decide(state, journal)
    state.apply(journal)
    return outcome, state


def redeliver(*endpoints: WebhookEndpoint, event_type: str | None = CREATED, **given: Any) -> tuple[Outcome, State]:
    ids = tuple(endpoint.id for endpoint in endpoints)
    command = Redeliver(tenant_id=1, actor=JANE, event_id=EVENT, event_type=event_type, endpoints=ids, **given)
    return decided(command, *endpoints)


def replay(*endpoints: WebhookEndpoint, **given: Any) -> tuple[Outcome, State]:
    asked: dict[str, Any] = {"endpoint": "we_1", "since": NOW - SECOND, "until": NOW, "types": (CREATED,)} | given
    return decided(ReplayEvents(tenant_id=1, actor=JANE, **asked), *endpoints)


def made(outcome: Outcome) -> tuple[Replay, ...]:
    assert isinstance(outcome, Done)
    assert outcome.created
    if isinstance(outcome.object, Redelivery):
        return outcome.object.replays
    assert isinstance(outcome.object, Replay)
    return (outcome.object,)


def refusal(decision: tuple[Outcome, State]) -> tuple[Code, list[str]]:
    """Give the code of a refusal and where its faults are, and expect that nothing was done."""
    outcome, state = decision
    assert isinstance(outcome, Refused)
    assert (list(state.replays.created()), state.attributions) == ([], [])
    return outcome.code, [fault.pointer for fault in outcome.faults]


# Redelivery


def test_every_enabled_endpoint_that_takes_the_type_gets_the_event() -> None:
    outcome, state = redeliver(ALL, CUSTOMERS, BILLS, OFF, GONE)
    replays = made(outcome)
    assert [(each.endpoint_id, each.event_id, each.created_at) for each in replays] == [
        ("we_1", EVENT, NOW),
        ("we_2", EVENT, NOW),
    ]
    assert state.replays.created() == list(replays)


def test_an_endpoint_that_is_named_gets_it_whatever_its_types() -> None:
    outcome, _ = redeliver(ALL, BILLS, endpoint="we_3")
    assert [each.endpoint_id for each in made(outcome)] == ["we_3"]


def test_what_is_shown_is_the_replay_of_each() -> None:
    outcome, _ = redeliver(ALL, CUSTOMERS)
    replays = made(outcome)
    assert isinstance(outcome, Done)
    shown = [{"id": each.id, "endpoint_id": each.endpoint_id, "event_id": EVENT} for each in replays]
    assert outcome.object.shown() == {"data": shown}
    assert len({each.id for each in replays}) == 2


def test_no_event_tells_of_it_but_who_asked_is_kept_once() -> None:
    _, state = redeliver(ALL, CUSTOMERS)
    assert (state.events, state.transfers) == ([], [])
    assert [(each.object_id, each.command, each.actor) for each in state.attributions] == [
        (EVENT, "event.redeliver", JANE)
    ]


@pytest.mark.parametrize("endpoints", [(), (BILLS,), (OFF, GONE, BILLS)])
def test_an_event_that_nobody_takes_is_not_sent(endpoints: tuple[WebhookEndpoint, ...]) -> None:
    assert refusal(redeliver(*endpoints)) == (Code.CONFLICT, [])


@pytest.mark.parametrize(
    ("name", "code"),
    [("we_4", Code.CONFLICT), ("we_5", Code.NOT_FOUND), ("we_6", Code.NOT_FOUND)],
    ids=["disabled", "deleted", "absent"],
)
def test_an_endpoint_that_is_named_must_be_there_and_enabled(name: str, code: Code) -> None:
    assert refusal(redeliver(ALL, OFF, GONE, endpoint=name)) == (code, ["/endpoint"])


def test_an_absent_event_is_told_before_what_is_wrong_with_the_request() -> None:
    assert refusal(redeliver(ALL, event_type=None, faults=(BROKEN,))) == (Code.NOT_FOUND, [])
    assert refusal(redeliver(ALL, faults=(BROKEN,))) == (Code.INVALID_REQUEST, ["/endpoint"])


def test_endpoints_of_another_tenant_are_not_there() -> None:
    command = Redeliver(tenant_id=2, actor=JANE, event_id=EVENT, event_type=CREATED, endpoint="we_1")
    assert refusal(decided(command, ALL)) == (Code.NOT_FOUND, ["/endpoint"])


# Replay


def test_a_replay_is_of_a_time_and_of_types() -> None:
    outcome, state = replay(ALL, only_failed=True)
    (asked,) = made(outcome)
    assert asked.shown() == {
        "id": asked.id,
        "endpoint_id": "we_1",
        "since": NOW - SECOND,
        "until": NOW,
        "types": (CREATED,),
        "only_failed": True,
    }
    assert state.replays.created() == [asked]
    assert [(each.object_id, each.command) for each in state.attributions] == [("we_1", "webhook_endpoint.replay")]


@pytest.mark.parametrize(
    ("since", "until", "pointers"),
    [
        (NOW, NOW, None),
        (NOW - timedelta(days=4_000), NOW - timedelta(days=3_000), None),
        (NOW, NOW - SECOND, ["/until"]),
        (NOW, NOW + SECOND, ["/until"]),
        (NOW + SECOND, NOW, ["/since"]),
        (NOW + SECOND, NOW + 2 * SECOND, ["/since", "/until"]),
        (UNSET, NOW + SECOND, ["/until"]),
    ],
)
def test_its_time_lies_behind_us_and_does_not_run_backwards(since: Any, until: datetime, pointers: Any) -> None:
    decision = replay(ALL, since=since, until=until)
    if pointers is None:
        assert len(made(decision[0])) == 1
    else:
        assert refusal(decision) == (Code.INVALID_REQUEST, pointers)


@pytest.mark.parametrize(
    ("endpoint", "code"),
    [("we_4", Code.CONFLICT), ("we_5", Code.NOT_FOUND), ("we_6", Code.NOT_FOUND)],
    ids=["disabled", "deleted", "absent"],
)
def test_a_replay_needs_an_endpoint_that_is_there_and_enabled(endpoint: str, code: Code) -> None:
    assert refusal(replay(ALL, OFF, GONE, endpoint=endpoint)) == (code, [])


def test_an_absent_endpoint_is_told_before_faults_and_those_before_its_state() -> None:
    for endpoint, code in (("we_6", Code.NOT_FOUND), ("we_4", Code.INVALID_REQUEST)):
        assert refusal(replay(OFF, endpoint=endpoint, faults=(BROKEN,)))[0] == code


def test_a_refusal_says_why_the_endpoint_is_disabled() -> None:
    outcome, _ = replay(OFF, endpoint="we_4")
    assert isinstance(outcome, Refused)
    assert "gone" in outcome.detail
