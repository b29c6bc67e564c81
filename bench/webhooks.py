"""Webhooks: how fast they are delivered, beside others who deliver, and what that costs the API."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import NamedTuple

import psutil

from bench import couriers, machine, settings, sql
from bench.books import Books, faults
from bench.couriers import Courier, Endpoints, Owed
from bench.events import TYPE, Event, Events
from bench.load import Load, Sample, Scenario, driven
from bench.receipts import Receipts, Receiver, receiving
from bench.seeding import seed_payments
from bench.services import Bench, cpu_seconds

PEERS: dict[str, Callable[[Bench], AbstractContextManager[Courier]]] = {
    "usual": couriers.usual,
    "tuned": couriers.tuned,
}
WARM_UP_SECONDS = 1.0

OBJECTS, PAYERS, CONNECTIONS = 2_000, 2_000, 64
RATE = 1_000
"""Payments a second, while the time to the first attempt is measured."""

NEWEST = "SELECT coalesce(max(id), '') FROM event"
RECORDED = """
    SELECT coalesce(array_agg(id), '{}'), coalesce(array_agg(object_id), '{}'), coalesce(array_agg(sequence), '{}'),
           coalesce(array_agg(extract(epoch FROM recorded_at)::float8), '{}')
      FROM (SELECT * FROM event WHERE id > $1 AND type = $2 ORDER BY id) AS found
"""


class Case(StrEnum):
    """What there is to deliver while the rate is measured."""

    MANY = "2,000 objects, one endpoint"
    HOT = "one object, in order"
    TEN = "2,000 objects, ten endpoints"

    @property
    def objects(self) -> int:
        return 1 if self is Case.HOT else OBJECTS

    @property
    def endpoints(self) -> int:
        return 10 if self is Case.TEN else 1


class Beside(StrEnum):
    """What runs beside the API while payments are made."""

    NOTHING = "no worker"
    WORKER = "a worker, no endpoint"
    ENDPOINT = "a worker, one endpoint"


class Rate(NamedTuple):
    """How many deliveries arrived a second, and how much of one core the worker used."""

    rate: float
    busy: float


class Paid(NamedTuple):
    """Payments that were made, the cores that were busy meanwhile, and the events that were still to deliver then."""

    sample: Sample
    cores: float
    left: int


class Drained(NamedTuple):
    """A backlog that was delivered, the seconds from the worker's start, and the bytes that the worker held."""

    events: int
    seconds: float
    resident: int


@dataclass
class Findings:
    """What was measured, and whatever went wrong.

    Attributes:
        alone: What the receiver can take.
        waits: Seconds from each payment to the first attempt to tell of it, in each round.
    """

    alone: Sample
    rates: dict[tuple[str, Case], list[Rate]] = field(default_factory=dict)
    waits: list[list[float]] = field(default_factory=list)
    paid: dict[Beside, list[Paid]] = field(default_factory=dict)
    drained: list[Drained] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def rate(self, name: str, case: Case) -> Rate | None:
        """Give the medians of a case, None where it was not measured."""
        found = self.rates.get((name, case))
        return Rate(*(statistics.median(values) for values in zip(*found, strict=True))) if found else None


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    seconds: float
    backlog: int


class Measuring:
    """One run of the measurements."""

    def __init__(self, bench: Bench, plan: Plan, receiver: Receiver, tell: Callable[[str], None]) -> None:
        self._bench, self._plan, self._receiver, self._tell = bench, plan, receiver, tell
        self._events, self._runs = Events(), count(1)
        self.findings = Findings(self._alone())

    def deliveries(self, contenders: Sequence[Courier]) -> None:
        """Measure what each one delivers, in turns."""
        for case in Case:
            self._tell(f"Deliveries: {case}")
            for _ in range(self._plan.rounds):
                for each in contenders:
                    if case is not Case.HOT or each.keeps_order:
                        self.findings.rates.setdefault((each.name, case), []).append(self._delivered(each, case))

    def backlog(self, owed: Owed) -> None:
        """Measure how long a backlog takes."""
        self._tell(f"A backlog of {self._plan.backlog:,}")
        events = self._events.of(OBJECTS, self._plan.backlog)
        with owed.endpoints(self._receiver, 1) as endpoints:
            owed.fill(events, endpoints)
            begin = time.time()
            with owed.worker() as process:
                self._receiver.wait(len(events))
                resident = process.memory_info().rss
            receipts = self._taken(f"{owed.name}, backlog", events, endpoints, in_order=True, whole=True)
        if receipts:
            self.findings.drained.append(Drained(len(receipts), max(receipts.taken.times) - begin, resident))

    def first_attempts(self, owed: Owed) -> None:
        """Measure the time from a payment to the first attempt to tell of it, while many are made."""
        self._tell(f"First attempts at {RATE:,} payments/s")
        for _ in range(self._plan.rounds):
            with owed.endpoints(self._receiver, 1) as endpoints, self._at_work(owed):
                newest = sql.row(owed.dsn, NEWEST)[0]
                self._pay(owed, RATE)
                if waits := self._all_told(owed, newest, endpoints):
                    self.findings.waits.append(waits)

    def payments(self, owed: Owed) -> None:
        """Measure the payments that the API takes, alone and beside a worker, in turns."""
        self._tell("Payments beside deliveries")
        for _ in range(self._plan.rounds):
            for beside in Beside:
                self.findings.paid.setdefault(beside, []).append(self._paid(owed, beside))

    def _alone(self) -> Sample:
        """Measure the receiver by itself."""
        self._tell("The receiver alone")
        told = {"BENCH_KEY": "none"}
        sample = driven(
            "deliver", CONNECTIONS, self._plan.seconds, self._receiver.url("/0"), self._bench.cores.load, told
        )
        self._receiver.take()
        return sample

    def _delivered(self, courier: Courier, case: Case) -> Rate:
        """Give a courier more than it can deliver, and measure after it has begun."""
        most = courier.most * (WARM_UP_SECONDS + self._plan.seconds)
        events = self._events.of(case.objects, int(most / case.endpoints))
        with courier.endpoints(self._receiver, case.endpoints) as endpoints:
            courier.fill(events, endpoints)
            with courier.worker() as process:
                self._receiver.wait(1)
                time.sleep(WARM_UP_SECONDS)
                begin, before = time.time(), cpu_seconds(process)
                time.sleep(self._plan.seconds)
                end, busy = time.time(), cpu_seconds(process) - before
            at = f"{courier.name}, {case}"
            receipts = self._taken(at, events, endpoints, in_order=courier.keeps_order)
        if len(receipts) == len(events) * len(endpoints):
            self.findings.failures.append(f"{at}: {len(receipts)} deliveries were too few to measure by")
        return Rate(receipts.between(begin, end) / (end - begin), busy / (end - begin))

    def _paid(self, owed: Owed, beside: Beside) -> Paid:
        with ExitStack() as stack:
            if beside is Beside.NOTHING:
                return self._pay(owed)
            if beside is Beside.WORKER:
                with owed.endpoints(self._receiver, 1):
                    stack.enter_context(self._at_work(owed))
                return self._pay(owed)
            endpoints = stack.enter_context(owed.endpoints(self._receiver, 1))
            stack.enter_context(self._at_work(owed))
            newest = sql.row(owed.dsn, NEWEST)[0]
            paid = self._pay(owed)
            self._all_told(owed, newest, endpoints)
            return paid

    @contextmanager
    def _at_work(self, owed: Owed) -> Iterator[psutil.Process]:
        """Run a worker that is seen to deliver before the block begins."""
        first = self._events.of(1, 1)
        with owed.worker() as process:
            owed.fill(first, {})
            self._receiver.wait(1)
            self._receiver.take()
            yield process

    def _pay(self, owed: Owed, rate: int = 0) -> Paid:
        """Make payments of many balances."""
        load = Load(Scenario.PAY_MANY, CONNECTIONS, self._plan.seconds, next(self._runs), rate)
        before, arrived = Books.of(owed.dsn, owed.service.columns), self._receiver.count()
        busy = machine.busy_seconds()
        sample = owed.service.measure(load)
        busy, arrived = machine.busy_seconds() - busy, self._receiver.count() - arrived
        wrong = list(faults(load, sample, before, Books.of(owed.dsn, owed.service.columns)))
        if sample.refused or sample.broken:
            wrong.append(f"{sample.refused} requests were refused and {sample.broken} broke off")
        if rate and sample.rate < 0.95 * rate:
            wrong.append(f"{rate} requests/s were wanted, {sample.rate:.0f} were done")
        self.findings.failures += [f"{load.scenario}: {each}" for each in wrong]
        return Paid(sample, busy / sample.seconds, sample.requests - arrived)

    def _all_told(self, owed: Owed, newest: str, endpoints: Endpoints) -> list[float]:
        """Wait until all events after the newest are delivered, and give the seconds that each waited."""
        ids, objects, sequences, times = sql.row(owed.dsn, RECORDED, newest, TYPE)
        events = [Event(*each, b"") for each in zip(ids, objects, sequences, strict=True)]
        self._receiver.wait(len(events))
        receipts = self._taken("payments", events, endpoints, in_order=True, whole=True)
        recorded = dict(zip(ids, times, strict=True))
        arrived = zip(receipts.taken.ids, receipts.taken.times, strict=True)
        return [at - recorded[event_id] for event_id, at in arrived if event_id in recorded]

    def _taken(
        self, at: str, events: Sequence[Event], endpoints: Endpoints, *, in_order: bool, whole: bool = False
    ) -> Receipts:
        """Take what arrived, and note what is wrong with it."""
        receipts = self._receiver.take()
        secrets = {path: endpoint.secret for path, endpoint in endpoints.items()}
        found = list(receipts.faults(events, secrets, whole=whole))
        if in_order:
            found += receipts.disorder(events)
        self.findings.failures += [f"{at}: {each}" for each in found]
        return receipts


def measure(
    bench: Bench, names: Sequence[str], plan: Plan, tell: Callable[[str], None]
) -> tuple[Findings, dict[str, str]]:
    """Measure those who deliver, of the names that are given, and tell under which circumstances."""
    facts = machine.facts(bench.directory)
    with ExitStack() as stack:
        measuring = Measuring(bench, plan, stack.enter_context(receiving(bench.directory, bench.cores)), tell)
        tell("Starting Owed and those beside it")
        owed = stack.enter_context(couriers.owed(bench))
        peers = [stack.enter_context(start(bench)) for name, start in PEERS.items() if name in names]
        seed_payments(owed.service, PAYERS)
        facts |= settings.of_deliveries(bench, {each.name: each.dsn for each in (owed, *peers)})
        measuring.deliveries([owed, *peers])
        measuring.backlog(owed)
        measuring.first_attempts(owed)
        measuring.payments(owed)
    return measuring.findings, facts
