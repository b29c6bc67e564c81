"""The simulation finds bugs when they are planted, and shows each in a few steps."""

import pytest

from owed.simulation.simulation import Failure, simulate
from owed.simulation.world import MakeStore, WatchedStore
from tests.simulation import bugs

SEED, ENOUGH = 2, 3_000
"""Each of the bugs must show in so many steps of this seed."""

FEW = 5


def found(make_store: MakeStore = WatchedStore) -> Failure:
    failure = simulate(SEED, ENOUGH, make_store).failure
    assert failure, "the bug was not found"
    return failure


@pytest.mark.parametrize(
    ("make_store", "told"),
    [
        (bugs.ForgetsAnswers, "has a second effect"),
        (bugs.IgnoresStaleVersions, "was written over"),
        (bugs.DeniesWhatItSaved, "was done, and its client was told that it was not"),
        (bugs.SavesByHalves, "and must be at version"),
        (bugs.MixesTestAndLive, "of Acme live"),
    ],
)
def test_a_bug_in_the_store_is_found_and_shown_in_a_few_steps(make_store: MakeStore, told: str) -> None:
    failure = found(make_store)

    assert len(failure.steps) <= FEW
    assert told in "\n".join(failure.lines())


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (bugs.refunds_forget_amount_paid, "amount_paid is "),
        (bugs.what_is_settled_may_be_paid_again, "which ['overpayment_allowed'] forbid"),
        (bugs.charges_go_below_the_floor, "below its floor"),
        (bugs.reversals_forget_what_was_credited, "was credited "),
        (bugs.time_stands_still_in_the_ledger, "is recorded at"),
        (bugs.clients_hear_before_the_commit, "was answered 201, and nothing was done"),
    ],
)
def test_a_bug_in_the_core_or_the_engine_is_found_and_shown_in_a_few_steps(
    plant: bugs.Plant, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    failure = found()

    assert len(failure.steps) <= FEW
    assert told in "\n".join(failure.lines())


def test_a_failure_tells_what_was_asked_what_happened_and_what_should_not_be() -> None:
    lines = list(found(bugs.ForgetsAnswers).lines())

    assert lines[0].startswith(f"World {SEED}.")
    assert lines[1].startswith("   1. ")
    assert lines.index("What happens:") < lines.index("What should not be:") < len(lines) - 1
