"""Commands and answers with bugs in them."""

from collections.abc import Callable

from owed.core.journal import Journal
from owed.core.outcomes import Done, Outcome
from owed.core.state import Name, State
from owed.model.answer import Answer
from tests.core.samples import KEY, create
from tests.engine.desk import render


class Broken:
    """A command with a bug: it writes in the journal, and raises then."""

    tenant_id = 1
    actor = KEY

    def __init__(self, *names: str) -> None:
        self._names = tuple(Name("customer", 1, name) for name in names)

    def reads(self) -> tuple[Name, ...]:
        return self._names

    def claims(self) -> tuple[Name, ...]:
        return ()

    def decide(self, state: State, journal: Journal) -> Outcome:
        create("half-done", currency="ZAR", balance=1).decide(state, journal)
        raise ZeroDivisionError


def broken_render(*, when: Callable[[Outcome], bool]) -> Callable[[Outcome], Answer]:
    """Make a render that raises for some outcomes."""

    def render_or_raise(outcome: Outcome) -> Answer:
        if when(outcome):
            raise ZeroDivisionError
        return render(outcome)

    return render_or_raise


def is_done(outcome: Outcome) -> bool:
    return isinstance(outcome, Done)
