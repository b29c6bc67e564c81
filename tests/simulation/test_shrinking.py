from collections.abc import Sequence

from owed.simulation.shrinking import LEISURE, shrunk
from owed.simulation.steps import Ask, Harm, Idle, Jump, Point, Step, Strike, Verb

JUMPS: list[Step] = [Jump(seconds=seconds) for seconds in range(60)]


def jumps(steps: Sequence[Step]) -> list[float]:
    return [step.seconds for step in steps if isinstance(step, Jump)]


def test_only_the_steps_that_it_takes_are_left_in_their_order() -> None:
    def fails(steps: Sequence[Step]) -> bool:
        return {3, 7, 41} <= set(jumps(steps))

    assert jumps(shrunk(JUMPS, fails)) == [3, 7, 41]


def test_of_several_reasons_one_is_left() -> None:
    def fails(steps: Sequence[Step]) -> bool:
        return {3, 41} <= set(jumps(steps)) or 7 in jumps(steps)

    assert jumps(shrunk(JUMPS, fails)) == [7]


def test_what_always_fails_needs_no_step() -> None:
    assert shrunk(JUMPS, lambda _: True) == []


def test_steps_take_their_time_where_no_race_is_needed() -> None:
    def is_race(steps: Sequence[Step]) -> bool:
        return any(step.after < 1 for step in steps)

    assert [step.after for step in shrunk([Idle(after=0.1), Idle(after=5.0)], bool)] == [LEISURE]
    assert [step.after for step in shrunk([Idle(after=0.1), Idle(after=5.0)], is_race)] == [0.1]


def test_the_steps_that_are_left_are_as_plain_as_can_be() -> None:
    applications = [{"bill": "b1", "amount": 1}, {"account": "a1", "amount": 2}]
    members = {"currency": "ZAR", "channel": "pos", "applications": applications}
    ask = Ask(number=1, tenant=1, verb=Verb.PAY, kind="payment", members=members, lost=2, patience=0.1)
    strike = Strike(worker=1, point=Point.HOLDING, harm=Harm.CRASH, seconds=6.0)

    def fails(steps: Sequence[Step]) -> bool:
        return len(steps) == 2 and "b1" in steps[0].line() and "are lost" in steps[0].line()

    wanted = (
        '{"currency":"ZAR","applications":[{"bill":"b1","amount":1}]} (worker 0, no key, its first 2 answers are lost)'
    )
    assert [step.line() for step in shrunk([ask, strike], fails)] == [
        f"request 1 of Acme test: POST /billing/payments of 1 {wanted}",
        "worker 1 crashes the next time, while it holds locks",
    ]
