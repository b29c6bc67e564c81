"""Retries: a schedule's every pause, when the ones behind stop waiting, and what a receiver may ask for."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from owed.core.retries import JITTER, LONGEST_REST, Retry, Schedule, rest, retry
from owed.settings import Settings

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
MINUTE, HOUR = 60.0, 3600.0
PROMISED = (5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
DEFAULT = Schedule(PROMISED, in_order_for=HOUR)

pauses = st.lists(st.floats(0, 604_800), min_size=1, max_size=30).map(tuple)
chances = st.floats(0, 1)
wishes = st.none() | st.floats(0, 10 * LONGEST_REST)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def failed(
    schedule: Schedule = DEFAULT,
    *,
    attempts: int = 1,
    age: float = 0,
    aside: bool = False,
    chance: float = 0,
    wish: float | None = None,
) -> Retry | None:
    """Say what becomes of a delivery that fails now, `age` seconds after its first attempt."""
    first = NOW - timedelta(seconds=age)
    return retry(
        schedule,
        attempts=attempts,
        first_attempt_at=first,
        out_of_order=aside,
        now=NOW,
        chance=chance,
        retry_after=wish,
    )


def next_of(retry: Retry | None) -> Retry:
    assert retry is not None
    return retry


# The pauses


def test_the_settings_start_with_what_is_promised() -> None:
    settings = Settings()
    assert (settings.webhook_retries, settings.webhook_order_seconds) == (PROMISED, HOUR)


@pytest.mark.parametrize(("attempts", "pause"), [*enumerate(PROMISED, 1)])
@pytest.mark.parametrize("chance", [0, 0.5, 1])
def test_each_failure_is_followed_by_its_pause_and_up_to_a_tenth_more(
    attempts: int, pause: float, chance: float
) -> None:
    assert next_of(failed(attempts=attempts, chance=chance)).retry_at == after(pause * (1 + chance / 10))


def test_there_are_ten_attempts_and_no_eleventh() -> None:
    assert [failed(attempts=number) is not None for number in range(1, 12)] == [True] * 9 + [False] * 2


@pytest.mark.parametrize("aside", [False, True])
@pytest.mark.parametrize("wish", [None, 0, 60, LONGEST_REST])
def test_nothing_makes_a_last_retry_be_followed_by_another(aside: bool, wish: float | None) -> None:
    assert failed(attempts=10, aside=aside, wish=wish) is None


def test_a_schedule_of_one_pause_makes_two_attempts() -> None:
    once = Schedule((0.5,), in_order_for=1)
    assert next_of(failed(once)).retry_at == after(0.5)
    assert failed(once, attempts=2) is None


# Setting aside


@pytest.mark.parametrize(
    ("attempts", "age", "due", "aside"),
    [
        (1, 0, 5, False),  # the retry comes before the hour is over
        (2, 5, 300, False),
        (3, 305, 1800, False),
        (4, 2105, 1495, False),  # in two hours: too late for those that wait, so it is looked at when the hour is over
        (4, 3599.5, 0.5, False),
        (4, 3600, 7200, True),  # the hour is over: they wait no longer
        (4, 3601, 7200, True),
        (9, 200_000, 86_400, True),
    ],
)
def test_others_wait_for_an_hour_from_the_first_attempt(attempts: int, age: float, due: float, aside: bool) -> None:
    pause = PROMISED[attempts - 1]
    assert failed(attempts=attempts, age=age) == Retry(after(pause), after(due), out_of_order=aside)


def test_a_retry_at_the_very_end_of_the_hour_is_still_in_order() -> None:
    assert failed(attempts=1, age=HOUR - 5) == Retry(after(5), after(5), out_of_order=False)


@pytest.mark.parametrize("age", [0, 1, 3599, 3601])
def test_what_was_set_aside_stays_aside(age: float) -> None:
    """One that is sent by hand is out of order from its first attempt."""
    assert failed(age=age, aside=True) == Retry(after(5), after(5), out_of_order=True)


def test_where_nothing_holds_back_the_first_failure_sets_aside() -> None:
    assert failed(Schedule((5,), in_order_for=0)) == Retry(after(5), after(5), out_of_order=True)


# Retry-After


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        (None, 0),
        (-1, 0),
        (0, 0),
        (0.5, 0.5),
        (86_399, 86_399),
        (86_400, 86_400),
        (86_401, 86_400),
        (1e300, 86_400),
        (float("inf"), 86_400),
    ],
)
def test_a_receiver_may_rest_for_a_day_at_most(wish: float | None, seconds: float) -> None:
    assert rest(wish) == seconds


@pytest.mark.parametrize(
    ("wish", "seconds"), [(0, 5), (4.9, 5), (5, 5), (60, 60), (86_400, 86_400), (float("inf"), 86_400)]
)
def test_a_delivery_waits_for_its_pause_and_for_what_the_receiver_asked(wish: float, seconds: float) -> None:
    assert next_of(failed(wish=wish)).retry_at == after(seconds)


def test_a_receiver_that_asks_for_a_rest_does_not_hold_back_for_longer() -> None:
    """Those behind wait for an hour; after it they are attempted when the receiver has rested."""
    assert failed(wish=7200) == Retry(after(7200), after(3600), out_of_order=False)


# Whole lives


@given(pauses=pauses, in_order_for=st.floats(0, 604_800), data=st.data())
def test_a_delivery_that_always_fails(pauses: tuple[float, ...], in_order_for: float, data: st.DataObject) -> None:
    """It is attempted once more than there are pauses, never too soon, and stops holding back when its time is over."""
    schedule, now, aside = Schedule(pauses, in_order_for), NOW, False
    held_until = NOW + timedelta(seconds=in_order_for)
    for attempts, pause in enumerate(pauses, 1):
        wish = data.draw(wishes)
        fate = next_of(
            retry(
                schedule,
                attempts=attempts,
                first_attempt_at=NOW,
                out_of_order=aside,
                now=now,
                chance=data.draw(chances),
                retry_after=wish,
            )
        )
        least = max(pause, rest(wish))
        assert now + timedelta(seconds=least) <= fate.retry_at
        assert fate.retry_at <= now + timedelta(seconds=max(pause * (1 + JITTER), least)) + TICK
        assert fate.out_of_order == (aside or now >= held_until)
        assert fate.due_at == (fate.retry_at if fate.out_of_order else min(fate.retry_at, held_until))
        aside = fate.out_of_order or fate.due_at < fate.retry_at
        now = fate.retry_at
    assert (
        retry(schedule, attempts=len(pauses) + 1, first_attempt_at=NOW, out_of_order=aside, now=now, chance=0) is None
    )
