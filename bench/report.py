"""The tables of a run: on the terminal, and in docs/performance.md between two markers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.load import Group, Scenario
from bench.rounds import HALVED, Measurements, connections_of
from bench.targets import TIMES, verdicts

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
TITLES = {
    "Owed": "Owed",
    "usual": "(a) usual stack",
    "tuned": "(b) tuned stack",
    "bare": "(c) bare stack",
    "pgbench": "(d) pgbench",
}


@dataclass(frozen=True)
class Grid:
    """A table, to be shown in either way."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    side: Literal["left", "right"] = "right"
    """Where the columns after the first are flush: numbers right, words left."""

    def markdown(self) -> str:
        """Give the table as Markdown."""
        rule = [":--", *("--:" if self.side == "right" else ":--" for _ in self.columns[1:])]
        lines = [f"| {' | '.join(cells)} |" for cells in (self.columns, rule, *self.rows)]
        return f"### {self.title}\n\n" + "\n".join(lines)

    def shown(self) -> Table:
        """Give the table for a terminal."""
        table = Table(title=self.title, title_justify="left", box=box.SIMPLE_HEAD)
        for number, column in enumerate(self.columns):
            table.add_column(column, justify=self.side if number else "left")
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table


def grids(measured: Measurements, group: Group, facts: Mapping[str, str]) -> Iterator[Grid]:
    """Yield every table of a group of scenarios."""
    kept = {True: "met", False: "**not met**"}
    rows = [(each.promise, each.measured, kept[each.met]) for each in verdicts(measured, group)]
    yield Grid("Promises", ("Promise", "Measured", ""), rows, "left")
    for scenario in filter(group.scenarios.__contains__, Scenario):
        yield _scenario(measured, scenario)
    for scenario in filter(group.scenarios.__contains__, HALVED):
        columns = ("", "req/s", "p50 ms", "p99 ms")
        yield Grid(f"{scenario} at half of each one's maximum", columns, _halves(measured, scenario))
    memory = [(TITLES[name], f"{size / 1e6:.0f}") for name, size in measured.resident.items()]
    yield Grid("Memory of the worker after all of it", ("", "MB resident"), memory)
    yield Grid("Machine and settings", ("", ""), list(facts.items()), "left")


def _scenario(measured: Measurements, scenario: Scenario) -> Grid:
    connections = connections_of(scenario)
    most = connections[-1]
    columns = [f"{what}, {each}" for each in connections for what in ("req/s", "p50 / p99 ms")]
    return Grid(
        str(scenario),
        ("connections", *columns, f"Owed is, {most}", f"CPU, {most}"),
        [
            (title, *_cells(measured, name, scenario, connections), *_comparison(measured, name, scenario, most))
            for name, title in TITLES.items()
            if measured.median(name, scenario, most)
        ],
    )


def _cells(measured: Measurements, name: str, scenario: Scenario, connections: Sequence[int]) -> Iterator[str]:
    for each in connections:
        median = measured.median(name, scenario, each)
        yield from (f"{median.rate:,.0f}", f"{median.p50:.2f} / {median.p99:.2f}") if median else ("", "")


def _comparison(measured: Measurements, name: str, scenario: Scenario, most: int) -> tuple[str, str]:
    """Return how much more Owed did than this contender, and how busy the contender's process was."""
    ours, theirs = measured.median("Owed", scenario, most), measured.median(name, scenario, most)
    ratio = f"{ours.rate / theirs.rate:.2f}{TIMES}" if ours and theirs and name != "Owed" else ""
    return ratio, f"{theirs.busy:.0%}" if theirs and theirs.busy else ""


def _halves(measured: Measurements, scenario: Scenario) -> list[tuple[str, ...]]:
    found = ((title, measured.at_half_load(name, scenario)) for name, title in TITLES.items())
    return [
        (title, f"{half[1].rate:,.0f}", f"{half[1].p50:.2f}", f"{half[1].p99:.2f}") for title, half in found if half
    ]


def show(console: Console, tables: Sequence[Grid]) -> None:
    """Print the tables."""
    for table in tables:
        console.print(table.shown())


def write(marker: str, text: str, page: Path = PAGE) -> None:
    """Put the text between the page's two markers of that name, and leave the rest of the page alone."""
    before, after = around(marker, page)
    page.write_text(f"{before}\n\n{text}\n\n{after}")


def around(marker: str, page: Path = PAGE) -> tuple[str, str]:
    """Return the page up to the first of its two markers of that name, and from the second; leave if it has none."""
    begin, end = f"<!-- {marker}: begin -->", f"<!-- {marker}: end -->"
    before, found, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{page} has no {begin} … {end}")
    return before + begin, end + after
