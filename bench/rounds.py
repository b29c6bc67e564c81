"""Rounds: every contender in turn, again and again, because a machine drifts; what counts is the median."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from bench.books import Books, Columns, faults
from bench.load import Load, Sample, Scenario

CONNECTIONS = (1, 16, 64)
MOST = max(CONNECTIONS)
WARM_UP_SECONDS = 1.0
BILLS_EACH = 500
"""How many bills a customer has where they are listed."""


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
    connections: Sequence[int] = CONNECTIONS

    @property
    def owners(self) -> int:
        """How many customers have an account and a bill at the start, and share the many bills."""
        return max(1, self.bills // BILLS_EACH)


@dataclass(frozen=True)
class Median:
    """The medians of a contender's samples. Times are milliseconds."""

    rate: float
    p50: float
    p99: float
    busy: float


@dataclass
class Measurements:
    """Every sample of a run, and whatever went wrong."""

    samples: dict[tuple[str, Scenario, int], list[Sample]] = field(default_factory=dict)
    paced: dict[str, tuple[int, list[Sample]]] = field(default_factory=dict)
    resident: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def median(self, name: str, scenario: Scenario, connections: int) -> Median | None:
        """Return the medians of a cell of the table, None where it was not measured."""
        found = self.samples.get((name, scenario, connections))
        return _median(found) if found else None

    def at_half_load(self, name: str) -> tuple[int, Median] | None:
        """Return the rate that was asked for and the medians under it."""
        found = self.paced.get(name)
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
            _one(measured, contender, Load(scenario, MOST, WARM_UP_SECONDS, next(runs)))
        for connections in plan.connections:
            tell(f"{scenario}, {connections} connection{'s'[: connections - 1]}")
            for _ in range(plan.rounds):
                for contender in able:
                    sample = _one(measured, contender, Load(scenario, connections, plan.seconds, next(runs)))
                    measured.samples.setdefault((contender.name, scenario, connections), []).append(sample)
        if scenario is Scenario.RETRIEVE:
            tell("Retrieve by id, at half of the maximum load")
            _pace(measured, [contender for contender in able if contender.name != "pgbench"], plan, runs)
    return measured


def _pace(measured: Measurements, contenders: Sequence[Contender], plan: Plan, runs: Iterator[int]) -> None:
    """Measure what a request takes while a service is half as busy as it can be."""
    connections = max(plan.connections)
    for _ in range(plan.rounds):
        for contender in contenders:
            most = measured.median(contender.name, Scenario.RETRIEVE, connections)
            if most is None:
                continue
            rate, samples = measured.paced.setdefault(contender.name, (int(most.rate / 2), []))
            sample = _one(measured, contender, Load(Scenario.RETRIEVE, connections, plan.seconds, next(runs), rate))
            samples.append(sample)


def _one(measured: Measurements, contender: Contender, load: Load) -> Sample:
    """Measure once, and note every answer that was not a success and every write that the database does not show."""
    before = Books.of(contender.dsn, contender.columns) if load.scenario.writes else None
    sample = contender.measure(load)
    wrong = []
    if sample.refused or sample.broken:
        wrong.append(f"{sample.refused} requests were refused and {sample.broken} broke off")
    if load.rate and sample.rate < 0.95 * load.rate:
        wrong.append(f"{load.rate} requests/s were wanted, {sample.rate:.0f} were done")
    if before:
        wrong += faults(load, sample, before, Books.of(contender.dsn, contender.columns))
    at = f"{contender.name}, {load.scenario}, {load.connections} connections"
    measured.failures += [f"{at}: {each}" for each in wrong]
    return sample
