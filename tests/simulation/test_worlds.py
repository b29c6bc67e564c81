"""Worlds: whatever goes wrong in them, all that was promised holds; and they follow from their seeds."""

import subprocess
import sys

import pytest

from owed.simulation.scenarios import Scenario
from owed.simulation.simulation import Summary, simulate
from owed.simulation.steps import HARMS, Ask, Verb
from owed.simulation.world import Life, live

WORLDS, STEPS = 40, 60

SHOW_A_LIFE = """
from owed.simulation.scenarios import Scenario
from owed.simulation.world import live
print("\\n".join(live(Scenario("7").steps(60), "7").diary))
"""


def life_of(seed: str, steps: int = STEPS) -> Life:
    return live(Scenario(seed).steps(steps), seed)


@pytest.fixture(scope="module")
def lives() -> list[Life]:
    return [life_of(str(seed)) for seed in range(WORLDS)]


def test_all_that_was_promised_holds_in_every_world(lives: list[Life]) -> None:
    assert [life.faults for life in lives] == [()] * WORLDS
    assert {life.taken for life in lives} == {STEPS}


# That much happens in them


def test_every_kind_of_harm_is_done_at_every_point(lives: list[Life]) -> None:
    happened = "\n".join(line for life in lives for line in life.diary)

    assert [
        (harm, point) for point, harms in HARMS.items() for harm in harms if f"{harm}, {point}\n" not in happened
    ] == []


@pytest.mark.parametrize("verb", Verb)
def test_requests_of_every_kind_are_done_and_are_refused(lives: list[Life], verb: Verb) -> None:
    statuses = set()
    for seed, life in enumerate(lives):
        asked = {
            each.number for each in Scenario(str(seed)).steps(STEPS) if isinstance(each, Ask) and each.verb is verb
        }
        statuses |= {status for number, status in answers(life) if number in asked}

    assert {"201", "200"} & statuses
    assert {"404", "409"} & statuses


def answers(life: Life) -> set[tuple[int, str]]:
    """Give each request that was answered, by its number, with the status."""
    words = [line.split() for line in life.diary if " answers " in line]
    return {(int(line[3].removesuffix(":")), line[line.index("answers") + 1].removesuffix(":")) for line in words}


@pytest.mark.parametrize(
    "happening",
    [
        "the answer is lost",
        "the client hangs up",
        "the connection is lost",
        "answers 201 again",
        "This Idempotency-Key was used for another request",
        "Too many requests are waiting",
        "The request waited too long",
        "The server is shutting down",
        "The database cannot be reached",
        "The database went away",
        "This is our fault",
    ],
)
def test_clients_live_through_all_that_clients_do(lives: list[Life], happening: str) -> None:
    assert any(happening in line for life in lives for line in life.diary)


def test_many_payments_are_taken_and_much_harm_is_done(lives: list[Life]) -> None:
    assert sum(life.payments for life in lives) > 4 * WORLDS
    assert sum(life.struck for life in lives) > 4 * WORLDS


# From a seed


def test_a_life_follows_from_its_seed_to_the_last_letter(lives: list[Life]) -> None:
    assert life_of("7") == lives[7]
    assert life_of("8") != lives[7]


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_life_follows_from_nothing_but_its_seed(lives: list[Life], hash_seed: str) -> None:
    """In another process, where texts have other hashes and sets another order, it is the same."""
    environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)}
    told = subprocess.run(
        [sys.executable, "-c", SHOW_A_LIFE], env=environment, capture_output=True, text=True, check=True
    )

    assert told.stdout.splitlines() == list(lives[7].diary)


def test_a_shorter_life_is_the_beginning_of_a_longer_one() -> None:
    assert Scenario("7").steps(200)[:60] == Scenario("7").steps(60)


def test_a_simulation_goes_through_as_many_worlds_as_its_steps_take() -> None:
    told: list[Summary] = []
    summary = simulate(7, 410, on_world=told.append)

    assert (summary.steps, summary.worlds, summary.failure) == (410, 3, None)
    assert [each.steps for each in told] == [200, 400, 410]
