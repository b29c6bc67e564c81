"""Shrinking: the fewest and plainest steps that still fail, found by leaving steps out (delta debugging)."""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from owed.simulation.steps import Step

LEISURE = 10.0
"""Seconds after which most of what a step begins is over."""

Fails = Callable[[Sequence[Step]], bool]
"""Tells whether some steps, in their order, still fail."""


def shrunk(steps: Sequence[Step], fails: Fails) -> list[Step]:
    """Give steps that fail, of which none can be left out, nor be any plainer.

    Args:
        steps: They fail.
    """
    left, before = list(steps), None
    while left != before:
        before = left
        left = plainer(fewest(unhurried(left, fails), fails), fails)
    return left


def unhurried(steps: list[Step], fails: Fails) -> list[Step]:
    """Let every step wait for the ones before it, if it is no race that fails."""
    slow = [msgspec.structs.replace(step, after=max(step.after, LEISURE)) for step in steps]
    return slow if fails(slow) else steps


def fewest(steps: list[Step], fails: Fails) -> list[Step]:
    """Leave out steps, first many at a time, until none can be missed."""
    left, size = steps, len(steps) // 2
    while size > 1:
        left, size = thinned(left, size, fails), size // 2
    while (thinner := thinned(left, 1, fails)) != left:
        left = thinner
    return left


def thinned(steps: list[Step], size: int, fails: Fails) -> list[Step]:
    """Leave out every part of so many steps that can be missed, the late ones first."""
    left = steps
    for end in range(len(steps), 0, -size):
        start = max(0, end - size)
        ways = (without(left, start, end), left[:start] + left[end:])
        left = next((rest for rest in ways if fails(rest)), left)
    return left


def without(steps: list[Step], start: int, end: int) -> list[Step]:
    """Leave out some steps, with all the others at the time that they were at."""
    later = steps[end:]
    if later:
        after = later[0].after + sum(step.after for step in steps[start:end])
        later[0] = msgspec.structs.replace(later[0], after=after)
    return steps[:start] + later


def plainer(steps: list[Step], fails: Fails) -> list[Step]:
    """Make each step as plain as it can be."""
    left = list(steps)
    for place in range(len(left)):
        for plain in [*in_its_time(left[place]), *left[place].plainer()]:
            changed = [*left[:place], plain, *left[place + 1 :]]
            if fails(changed):
                left = changed
                break
    return left


def in_its_time(step: Step) -> Iterator[Step]:
    """Yield the step as it is where it waits for the ones before it."""
    if step.after != LEISURE:
        yield msgspec.structs.replace(step, after=LEISURE)
