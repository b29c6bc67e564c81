"""What the project has promised of its speed, and whether a run keeps it."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.load import Group, Scenario
from bench.rounds import MOST, Measurements

TIMES = " \N{MULTIPLICATION SIGN}"

AT_LEAST = (  # at 64 connections, as a multiple of the peer's throughput: the least, and the goal where there is one
    (Scenario.RETRIEVE, "usual", 16, 20),
    (Scenario.RETRIEVE, "tuned", 2.5, None),
    (Scenario.RETRIEVE, "bare", 0.9, None),
    (Scenario.CREATE, "usual", 12, 15),
    (Scenario.CREATE, "tuned", 2, None),
    (Scenario.UPDATE, "usual", 20, None),
    (Scenario.UPDATE, "tuned", 2, None),
    (Scenario.RETRIEVE_BILL, "usual", 14, None),
    (Scenario.CREATE_BILL, "usual", 10, None),
    (Scenario.COMPOSITE, "usual", 8, None),
)
NO_SLOWER = (Scenario.RETRIEVE, Scenario.CREATE)  # than the tuned stack, at one connection
UPDATE_WITHIN = 2.0  # milliseconds, at one connection
HALF_LOAD_P99 = 10.0
MEGABYTES = 100


@dataclass(frozen=True)
class Verdict:
    """One promise, what was measured, and whether it is kept."""

    promise: str
    measured: str
    met: bool


def verdicts(measured: Measurements, group: Group) -> Iterator[Verdict]:
    """Yield a verdict for every promise of a group that the run can tell about."""
    yield from _ratios(measured, group)
    if group is Group.CUSTOMERS:
        yield from _alone(measured)
        yield from _at_half_load(measured)
    if resident := measured.resident.get("Owed"):
        megabytes = resident / 1e6
        yield Verdict(f"At most {MEGABYTES} MB resident a worker", f"{megabytes:.0f} MB", megabytes <= MEGABYTES)


def _at_half_load(measured: Measurements) -> Iterator[Verdict]:
    if half := measured.at_half_load("Owed"):
        rate, median = half
        yield Verdict(
            f"Retrieve at half load: p99 under {HALF_LOAD_P99:.0f} ms",
            f"{median.p99:.2f} ms at {rate:,}/s",
            median.p99 < HALF_LOAD_P99,
        )


def _ratios(measured: Measurements, group: Group) -> Iterator[Verdict]:
    for scenario, peer, least, goal in AT_LEAST:
        if scenario not in group.scenarios:
            continue
        ours, theirs = measured.median("Owed", scenario, MOST), measured.median(peer, scenario, MOST)
        if ours and theirs:
            ratio = ours.rate / theirs.rate
            wanted = f"{least:g}{TIMES}" + (f" (goal {goal:g}{TIMES})" if goal else "")
            promise = f"{scenario}, {MOST} connections: at least {wanted} {peer}"
            yield Verdict(promise, f"{ratio:.1f}{TIMES}", ratio >= least)


def _alone(measured: Measurements) -> Iterator[Verdict]:
    """Compare what one client alone waits."""
    for scenario in (*NO_SLOWER, Scenario.UPDATE):
        ours, theirs = measured.median("Owed", scenario, 1), measured.median("tuned", scenario, 1)
        if not ours or not theirs:
            continue
        told = f"p50 {ours.p50:.2f} ms, tuned {theirs.p50:.2f} ms"
        if scenario in NO_SLOWER:
            yield Verdict(f"{scenario}, 1 connection: no slower than tuned", told, ours.p50 <= theirs.p50)
        else:
            yield Verdict(f"{scenario}, 1 connection: p50 within {UPDATE_WITHIN:g} ms", told, ours.p50 <= UPDATE_WITHIN)
