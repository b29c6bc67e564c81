"""Rounds: every contender in turn, again and again, because a machine drifts; what counts is the median."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from bench.books import REST_SECONDS, Books, Columns, faults
from bench.load import OF_PAYMENTS, Load, Sample, Scenario
from bench.payments import HUNDRED

CONNECTIONS = (1, 16, 64)
MOST = max(CONNECTIONS)
HALVED = (Scenario.RETRIEVE, Scenario.PAY_MANY)
"""What is also measured at half of the maximum load."""
WARM_UP_SECONDS = 1.0
BILLS_EACH = 500
"""How many bills a customer has where they are listed."""


def connections_of(scenario: Scenario) -> Sequence[int]:
    """Give the numbers of connections that a scenario is measured on, in order."""
    if scenario is Scenario.PAY_HUNDRED:  # more would wait in a queue for longer than a run is
        return (1, 16)
    return (1, MOST) if scenario in OF_PAYMENTS else CONNECTIONS


class Contender(Protocol):
    """Whatever can be put under a load."""

    @property
    def name(self) -> str: ...
    @property
    def scenarios(self) -> frozenset[Scenario]: ...
    @property
    def dsn(self) -> str: ...
    @property
    def columns(self) -> Columns: ...
    def measure(self, load: Load) -> Sample: ...


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    seconds: float
    customers: int
    bills: int
    scenarios: frozenset[Scenario]

    @property
    def owners(self) -> int:
        """How many customers have an account and a bill at the start, and share the many bills."""
        return max(1, self.bills // BILLS_EACH)

    @property
    def payers(self) -> int:
        """How many customers have an account and a bill that are paid."""
        return max(HUNDRED, self.owners)

    def seconds_of(self, scenario: Scenario) -> float:
        """Give how long a run is: one of large requests is longer, so that those half done at its end count little."""
        return self.seconds * (2 if scenario is Scenario.PAY_HUNDRED else 1)


@dataclass(frozen=True)
class Median:
    """The medians of a contender's samples. Times are milliseconds."""

    rate: float
    p50: float
    p99: float
    busy: float


@dataclass
class Measurements:
    """Every sample of a run, and whatever went wrong.

    Attributes:
        paced: The rate that was asked for, and the samples under it.
        books: As each contender's stood after the last run that wrote; nobody else writes.
    """

    samples: dict[tuple[str, Scenario, int], list[Sample]] = field(default_factory=dict)
    paced: dict[tuple[str, Scenario], tuple[int, list[Sample]]] = field(default_factory=dict)
    books: dict[str, Books] = field(default_factory=dict)
    resident: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def median(self, name: str, scenario: Scenario, connections: int) -> Median | None:
        """Return the medians of a cell of the table, None where it was not measured."""
        found = self.samples.get((name, scenario, connections))
        return _median(found) if found else None

    def at_half_load(self, name: str, scenario: Scenario) -> tuple[int, Median] | None:
        """Return the rate that was asked for and the medians under it."""
        found = self.paced.get((name, scenario))
        return (found[0], _median(found[1])) if found else None


def _median(samples: Sequence[Sample]) -> Median:
    measures = ("rate", "p50", "p99", "busy")
    return Median(*(statistics.median(getattr(sample, name) for sample in samples) for name in measures))


def measure(
    contenders: Sequence[Contender], plan: Plan, prepare: Callable[[Scenario], None], tell: Callable[[str], None]
) -> Measurements:
    """Put every contender under every load of the plan, in turns.

    Args:
        prepare: Is called before each scenario.
    """
    measured, runs = Measurements(), count(1)
    for scenario in filter(plan.scenarios.__contains__, Scenario):
        prepare(scenario)
        able = [contender for contender in contenders if scenario in contender.scenarios]
        for contender in able:
            _one(measured, contender, Load(scenario, connections_of(scenario)[-1], WARM_UP_SECONDS, next(runs)))
        for connections in connections_of(scenario):
            tell(f"{scenario}, {connections} connection{'s'[: connections - 1]}")
            for _ in range(plan.rounds):
                for contender in able:
                    load = Load(scenario, connections, plan.seconds_of(scenario), next(runs))
                    samples = measured.samples.setdefault((contender.name, scenario, connections), [])
                    samples.append(_one(measured, contender, load))
        if scenario in HALVED:
            tell(f"{scenario}, at half of the maximum load")
            _pace(measured, scenario, [contender for contender in able if contender.name != "pgbench"], plan, runs)
    return measured


def _pace(
    measured: Measurements, scenario: Scenario, contenders: Sequence[Contender], plan: Plan, runs: Iterator[int]
) -> None:
    """Measure what a request takes while a service is half as busy as it can be."""
    for _ in range(plan.rounds):
        for contender in contenders:
            most = measured.median(contender.name, scenario, MOST)
            if most is None:
                continue
            rate, samples = measured.paced.setdefault((contender.name, scenario), (int(most.rate / 2), []))
            samples.append(_one(measured, contender, Load(scenario, MOST, plan.seconds, next(runs), rate)))


def _one(measured: Measurements, contender: Contender, load: Load) -> Sample:
    """Measure once, and note every answer that was not a success and every write that the database does not show."""
    if load.scenario.writes and contender.name not in measured.books:
        measured.books[contender.name] = Books.of(contender.dsn, contender.columns)
    sample = contender.measure(load)
    wrong = []
    if sample.refused or sample.broken:
        wrong.append(f"{sample.refused} requests were refused and {sample.broken} broke off")
    if load.rate and sample.rate < 0.95 * load.rate:
        wrong.append(f"{load.rate} requests/s were wanted, {sample.rate:.0f} were done")
    if load.scenario.writes:
        under_way = 2 * load.connections / max(1, sample.rate)  # what those took that it hung up on, and as much again
        before = measured.books[contender.name]
        after = measured.books[contender.name] = Books.of(
            contender.dsn, contender.columns, rest=max(REST_SECONDS, under_way)
        )
        wrong += faults(load, sample, before, after)
    at = f"{contender.name}, {load.scenario}, {load.connections} connections"
    measured.failures += [f"{at}: {each}" for each in wrong]
    return sample
