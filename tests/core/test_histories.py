"""What holds after any history of one customer, whatever its merchant sends and whatever its clock does."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from owed.core.outcomes import Done
from owed.core.state import State
from owed.model.attribution import Actor
from owed.model.customer import Customer
from owed.model.money import MAX_TOTAL
from tests.core.samples import JANE, KEY, Books, create, refuse_broken, update

Step = tuple[int, Actor, dict[str, Any]]

members = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["Ann", "Bob", None]),
        "currency": st.sampled_from(["ZAR", "USD", "XXQ"]),
        "balance": st.integers(-5, 5) | st.integers(-MAX_TOTAL, MAX_TOTAL),
        "metadata": st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "x", None]), max_size=2),
    },
)
clock_steps = st.integers(-10, 10) | st.just(0)
histories = st.lists(st.tuples(clock_steps, st.sampled_from([KEY, JANE]), members), max_size=12)


class History:
    """A history as it was lived: the books, and the customer after every step that was done."""

    def __init__(self, steps: list[Step]) -> None:
        self.books = Books()
        self.lived = [self.books.done(create(currency="ZAR"))]
        for microseconds, actor, given_members in steps:
            self.books.stamps.now += timedelta(microseconds=microseconds)
            outcome = self.books.decide(update(actor=actor, **given_members))
            if isinstance(outcome, Done):
                self.lived.append(outcome.object)

    @property
    def state(self) -> State:
        return self.books.state

    @property
    def now(self) -> Customer:
        return self.lived[-1]

    def changes(self) -> list[tuple[Customer, Customer]]:
        return [(before, after) for before, after in pairwise(self.lived) if before != after]


@given(histories)
def test_a_balance_is_the_sum_of_its_transfers(steps: list[Step]) -> None:
    history = History(steps)

    assert history.now.obligation.total == sum(transfer.amount for transfer in history.state.transfers)


@given(histories)
def test_the_chain_is_whole_and_ends_in_the_obligation(steps: list[Step]) -> None:
    history = History(steps)
    transfers, obligation = history.state.transfers, history.now.obligation

    refuse_broken(transfers)
    assert obligation.version == len(transfers)
    assert obligation.hash == (transfers[-1].hash if transfers else b"")
    assert obligation.recorded_at == (transfers[-1].recorded_at if transfers else None)


@given(histories)
def test_transfers_are_recorded_in_their_order(steps: list[Step]) -> None:
    recorded = [transfer.recorded_at for transfer in History(steps).state.transfers]

    assert recorded == sorted(set(recorded))


@given(histories)
def test_each_counter_counts_its_own_without_gaps(steps: list[Step]) -> None:
    history = History(steps)

    for before, after in history.changes():
        assert after.version == before.version + 1
        assert after.event_sequence == before.event_sequence + 1
        assert after.obligation.version - before.obligation.version in (0, 1)
    assert [event.sequence for event in history.state.events] == list(range(1, history.now.event_sequence + 1))


@given(histories)
def test_every_change_is_told_and_nothing_else(steps: list[Step]) -> None:
    history = History(steps)

    assert len(history.state.events) == 1 + len(history.changes())
    assert len({event.id for event in history.state.events}) == len(history.state.events)


@given(histories)
def test_words_are_kept_only_for_what_changed_something(steps: list[Step]) -> None:
    history = History(steps)

    assert len(history.state.attributions) <= len(history.changes())
    attributed = {transfer.attribution_id for transfer in history.state.transfers} - {None}
    assert attributed <= {words.id for words in history.state.attributions}


@given(histories)
def test_the_same_seed_gives_the_same_history(steps: list[Step]) -> None:
    one, other = History(steps).state, History(steps).state

    assert (one.transfers, one.events, one.attributions) == (other.transfers, other.events, other.attributions)
