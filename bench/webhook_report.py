"""The tables of a run of webhooks, and whether what the project has promised of them is kept."""

import statistics
from collections.abc import Iterator, Mapping, Sequence

from bench import machine
from bench.report import Grid
from bench.targets import TIMES, Verdict
from bench.webhooks import CONNECTIONS, RATE, WARM_UP_SECONDS, Beside, Case, Drained, Findings, Paid, Plan

TITLES = {"Owed": "Owed", "usual": "(a) usual outbox", "tuned": "(b) tuned outbox"}
DELIVERED, WITHIN = 3_000, 1.0
SHARE = 0.9
"""What of the payments that the cores have time for beside deliveries has to be made."""

RATES = [column for case in Case for column in (case, "Owed is", "CPU")]
WAITS = ("", "events", "p50 ms", "p99 ms", "longest ms")
BACKLOG = ("events", "seconds", "deliveries/s", "MB resident")
PAYMENTS = ("beside", "payments/s", "p50 / p99 ms", "cores busy", "ms of a core each", "events left at the end")


def verdicts(findings: Findings) -> Iterator[Verdict]:
    """Yield what is promised of webhooks, and whether it is kept."""
    if best := findings.rate("Owed", Case.MANY):
        promise = f"Deliveries, {Case.MANY}, one worker: at least {DELIVERED:,}/s"
        yield Verdict(promise, f"{best.rate:,.0f}/s", best.rate >= DELIVERED)
    if findings.waits:
        p99 = statistics.median(_percentile(waits, 99) for waits in findings.waits)
        promise = f"From a payment to the first attempt, at {RATE:,} payments/s: p99 within {WITHIN:g} s"
        yield Verdict(promise, f"{p99 * 1000:,.0f} ms", p99 <= WITHIN)
    for beside in (Beside.WORKER, Beside.ENDPOINT) if findings.paid else ():
        alone, with_it = findings.paid[Beside.NOTHING], findings.paid[beside]
        possible = _rate(alone) * _work(alone) / _work(with_it)
        promise = f"Payments beside {beside}: at least {SHARE} of what the cores have time for"
        told = f"{_rate(with_it):,.0f}/s of {possible:,.0f}/s; alone {_rate(alone):,.0f}/s"
        yield Verdict(promise, told, _rate(with_it) >= SHARE * possible)


def grids(findings: Findings, plan: Plan, facts: Mapping[str, str]) -> Iterator[Grid]:
    """Yield every table."""
    kept = {True: "met", False: "**not met**"}
    rows = [(each.promise, each.measured, kept[each.met]) for each in verdicts(findings)]
    yield Grid("Promises", ("Promise", "Measured", ""), rows, "left")
    yield Grid("Deliveries a second, one worker", ("", *RATES), list(_rates(findings)))
    yield Grid(f"From a payment to the first attempt, at {RATE:,} payments/s", WAITS, list(_waits(findings)))
    yield Grid("A backlog", BACKLOG, [_backlog(each) for each in findings.drained])
    yield Grid("Payments of many balances, 64 connections", PAYMENTS, list(_payments(findings)))
    yield Grid("Machine and settings", ("", ""), list({**facts, **_load(findings, plan)}.items()), "left")


def _rates(findings: Findings) -> Iterator[tuple[str, ...]]:
    for name, title in TITLES.items():
        cells = [cell for case in Case for cell in _cells(findings, name, case)]
        if any(cells):
            yield (title, *cells)


def _cells(findings: Findings, name: str, case: Case) -> tuple[str, str, str]:
    ours, found = findings.rate("Owed", case), findings.rate(name, case)
    if ours is None or found is None:
        return "", "", ""
    ratio = f"{ours.rate / found.rate:.1f}{TIMES}" if name != "Owed" and found.rate else ""
    return f"{found.rate:,.0f}", ratio, f"{found.busy:.0%}"


def _waits(findings: Findings) -> Iterator[tuple[str, ...]]:
    for number, waits in enumerate(findings.waits, 1):
        times = (_percentile(waits, 50), _percentile(waits, 99), max(waits))
        yield (f"round {number}", f"{len(waits):,}", *(f"{each * 1000:,.1f}" for each in times))


def _backlog(drained: Drained) -> tuple[str, ...]:
    rate = drained.events / drained.seconds
    return f"{drained.events:,}", f"{drained.seconds:.1f}", f"{rate:,.0f}", f"{drained.resident / 1e6:.0f}"


def _payments(findings: Findings) -> Iterator[tuple[str, ...]]:
    for beside, paid in findings.paid.items():
        p50, p99 = (statistics.median(getattr(each.sample, name) for each in paid) for name in ("p50", "p99"))
        cores, left = (statistics.median(getattr(each, name) for each in paid) for name in ("cores", "left"))
        waiting = f"{left:,.0f}" if beside is Beside.ENDPOINT else ""
        yield (
            str(beside), f"{_rate(paid):,.0f}", f"{p50:.2f} / {p99:.2f}", f"{cores:.2f}", f"{_work(paid) * 1000:.2f}",
            waiting,
        )  # fmt: skip


def _load(findings: Findings, plan: Plan) -> dict[str, str]:
    alone = f"{findings.alone.rate:,.0f} requests/s of {machine.wrk_version()} alone, on {CONNECTIONS} connections"
    return {
        "Receiver": f"takes {alone}",
        "Load": f"{plan.rounds} rounds in turns of {plan.seconds:g} s, after {WARM_UP_SECONDS:g} s to warm up",
    }


def _rate(paid: Sequence[Paid]) -> float:
    return statistics.median(each.sample.rate for each in paid)


def _work(paid: Sequence[Paid]) -> float:
    """Give the seconds that the cores, all together, were busy for each payment."""
    return statistics.median(each.cores / each.sample.rate for each in paid)


def _percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
