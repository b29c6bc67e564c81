"""What the project has promised of its speed, and whether a run keeps it."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.load import Group, Scenario
from bench.rounds import HALVED, MOST, Measurements, Median, connections_of

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
    (Scenario.PAY_MANY, "usual", 15, None),
    (Scenario.PAY_HOT, "usual", 25, None),
    (Scenario.PAY_HOT, "pgbench", 2, None),
)
NO_SLOWER = (Scenario.RETRIEVE, Scenario.CREATE)  # than the tuned stack, at one connection
MUCH_MORE = 1.2  # times as much on fewer connections is worth telling
UPDATE_WITHIN = 2.0  # milliseconds, at one connection
HALF_LOAD_P99 = {Scenario.RETRIEVE: 10.0, Scenario.PAY_MANY: 25.0}  # milliseconds
PAYMENT_WITHIN = 2.5  # milliseconds, at one connection
PAID_ALONE = (Scenario.PAY_MANY, Scenario.PAY_HOT, Scenario.PAY_BILL)
HOT_OF_MANY = 0.9  # how fast one hot account is paid, as a part of how fast many balances are
CHARGED_OF_PAID = 0.8  # how fast one hot account is charged, as a part of how fast one is paid
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
    if group is Group.PAYMENTS:
        yield from _of_payments(measured)
    yield from _at_half_load(measured, group)
    if resident := measured.resident.get("Owed"):
        megabytes = resident / 1e6
        yield Verdict(f"At most {MEGABYTES} MB resident a worker", f"{megabytes:.0f} MB", megabytes <= MEGABYTES)


def _at_half_load(measured: Measurements, group: Group) -> Iterator[Verdict]:
    for scenario in filter(group.scenarios.__contains__, HALVED):
        if half := measured.at_half_load("Owed", scenario):
            (rate, median), most = half, HALF_LOAD_P99[scenario]
            promise = f"{scenario} at half load: p99 under {most:.0f} ms"
            yield Verdict(promise, f"{median.p99:.2f} ms at {rate:,}/s", median.p99 < most)


def _of_payments(measured: Measurements) -> Iterator[Verdict]:
    """Compare one hot account with many balances, and tell what one who pays alone waits."""
    hot, many = (measured.median("Owed", scenario, MOST) for scenario in (Scenario.PAY_HOT, Scenario.PAY_MANY))
    if hot and many:
        ratio = hot.rate / many.rate
        promise = f"{Scenario.PAY_HOT}, {MOST} connections: at least {HOT_OF_MANY}{TIMES} as fast as of many balances"
        yield Verdict(promise, f"{ratio:.2f}{TIMES}", ratio >= HOT_OF_MANY)
    if hot and (charged := measured.median("Owed", Scenario.CHARGE_HOT, MOST)):
        ratio = charged.rate / hot.rate
        promise = f"{Scenario.CHARGE_HOT}, {MOST} connections: at least {CHARGED_OF_PAID}{TIMES} the payments of one"
        yield Verdict(promise, f"{ratio:.2f}{TIMES}", ratio >= CHARGED_OF_PAID)
    for scenario in PAID_ALONE:
        if ours := measured.median("Owed", scenario, 1):
            promise = f"{scenario}, 1 connection: p50 under {PAYMENT_WITHIN:g} ms"
            yield Verdict(promise, f"{ours.p50:.2f} ms", ours.p50 < PAYMENT_WITHIN)


def _ratios(measured: Measurements, group: Group) -> Iterator[Verdict]:
    for scenario, peer, least, goal in AT_LEAST:
        if scenario not in group.scenarios:
            continue
        ours, theirs = measured.median("Owed", scenario, MOST), measured.median(peer, scenario, MOST)
        if ours and theirs:
            ratio = ours.rate / theirs.rate
            wanted = f"{least:g}{TIMES}" + (f" (goal {goal:g}{TIMES})" if goal else "")
            promise = f"{scenario}, {MOST} connections: at least {wanted} {peer}"
            told = f"{ratio:.1f}{TIMES}{_at_best(measured, scenario, peer, ours)}"
            yield Verdict(promise, told, ratio >= least)


def _at_best(measured: Measurements, scenario: Scenario, peer: str, ours: Median) -> str:
    """Tell how we compare with a peer that does more on fewer connections."""
    medians = ((measured.median(peer, scenario, each), each) for each in connections_of(scenario))
    rates = {connections: median.rate for median, connections in medians if median}
    best = max(rates, key=lambda connections: rates[connections])
    if rates[best] < MUCH_MORE * rates[MOST]:
        return ""
    return f"; {ours.rate / rates[best]:.1f}{TIMES} its best, on {best}"


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
