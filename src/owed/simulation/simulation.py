"""The simulation: worlds from a seed, and the shortest trace of the first that fails."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from owed.simulation.scenarios import Scenario
from owed.simulation.shrinking import shrunk
from owed.simulation.steps import Step
from owed.simulation.world import Life, MakeStore, WatchedStore, live

LIFETIME = 200
"""Steps of one world: beyond them the next begins, so that what fails can be lived again in no time."""


class Failure(NamedTuple):
    """A world that failed.

    Attributes:
        world: Its seed.
        steps: The shortest trace that still fails.
        life: What becomes of a world that lives through just these.
    """

    world: str
    steps: list[Step]
    life: Life

    def lines(self) -> Iterator[str]:
        """Yield the trace, what happens, and what should not, in lines for people."""
        yield f"World {self.world} fails. The shortest trace that still does:"
        for place, step in enumerate(self.steps, start=1):
            after = f"{step.after:g} s later, " if step.after else ""
            yield f"{place:4}. {after}{step.line()}"
        if any("#" in step.line() for step in self.steps):
            yield "      (#7 stands for the id of what request 7 has made.)"
        yield "What happens:"
        yield from (f"  {line}" for line in self.life.diary)
        yield "What should not be:"
        yield from (f"  {fault}" for fault in self.life.faults)


class Summary(NamedTuple):
    """How much was simulated.

    Attributes:
        struck: How much harm was done: crashes, lost connections, jumps of the clock.
        failure: The first world that failed, if one did.
    """

    steps: int = 0
    worlds: int = 0
    requests: int = 0
    struck: int = 0
    payments: int = 0
    failure: Failure | None = None

    def after(self, life: Life) -> "Summary":
        """Give the summary with one more world."""
        return self._replace(
            steps=self.steps + life.taken,
            worlds=self.worlds + 1,
            requests=self.requests + life.requests,
            struck=self.struck + life.struck,
            payments=self.payments + life.payments,
        )


def simulate(
    seed: int, steps: int, make_store: MakeStore = WatchedStore, on_world: Callable[[Summary], None] = lambda _: None
) -> Summary:
    """Let worlds live through so many steps in all, or until one fails.

    Args:
        make_store: Makes the store of each world.
        on_world: Hears how far it is after each.
    """
    summary = Summary()
    while summary.steps < steps:
        world = f"{seed}.{summary.worlds}"
        planned = Scenario(world).steps(min(LIFETIME, steps - summary.steps))
        life = live(planned, world, make_store)
        summary = summary.after(life)
        if life.faults:
            return summary._replace(failure=failure(world, planned[: life.taken], make_store))
        on_world(summary)
    return summary


def failure(world: str, steps: list[Step], make_store: MakeStore) -> Failure:
    """Find the shortest trace of a world that fails."""
    short = shrunk(steps, lambda some: bool(live(some, world, make_store).faults))
    return Failure(world, short, live(short, world, make_store))
