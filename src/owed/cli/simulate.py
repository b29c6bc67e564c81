"""`owed simulate`."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from owed.simulation import simulation
from owed.simulation.simulation import Summary

Seed = Annotated[int, typer.Option(help="What everything follows from: the same seed, the same worlds.")]
Steps = Annotated[int, typer.Option(min=1, help="How many steps to live through in all.")]


def simulate(*, seed: Seed = 1, steps: Steps = 10_000) -> None:
    """Let simulated merchants, clients and workers live through crashes, races and clocks that jump, and audit them.

    Nothing is stored, and no database is needed.
    """
    began = time.monotonic()
    with progress(steps) as tell:
        summary = simulation.simulate(seed, steps, on_world=tell)
    if summary.failure:
        typer.echo("\n".join(summary.failure.lines()))
        typer.echo(f"\nFailed: {counted(summary)}. Repeat with --seed {seed} --steps {summary.steps}.")
        raise typer.Exit(1)
    typer.echo(f"All held: {counted(summary)}, {time.monotonic() - began:.1f} s.")


@contextmanager
def progress(steps: int) -> Iterator[Callable[[Summary], None]]:
    """Show how far it is, on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("Simulating"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=steps)
        yield lambda summary: bar.update(task, completed=summary.steps)


def counted(summary: Summary) -> str:
    """Say how much was simulated."""
    return (
        f"{summary.steps} steps in {summary.worlds} worlds, {summary.requests} requests, {summary.struck} faults, "
        f"{summary.payments} payments"
    )
