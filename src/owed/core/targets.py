"""Targets: what a request names for money to go to (contract, section 6)."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from owed.core.outcomes import Fault, missing
from owed.core.state import Name, State
from owed.model.billing_object import BillingObject


class Target(NamedTuple):
    """What of a payment is to go to one object.

    Attributes:
        pointer: The member that names the object.
        amount_pointer: The member that gives the amount.
    """

    kind: str
    name: str
    amount: int
    pointer: str
    amount_pointer: str = "/amount"


def names_of(targets: Sequence[Target], tenant_id: int) -> tuple[Name, ...]:
    """Name the objects of targets."""
    return tuple(Name(target.kind, tenant_id, target.name) for target in targets)


def found_of(targets: Sequence[Target], state: State, tenant_id: int) -> list[Any]:
    """Find the objects of targets; None for what does not exist."""
    return [state.shelves[target.kind].find(tenant_id, target.name) for target in targets]


def absent(targets: Sequence[Target], found: Sequence[BillingObject | None]) -> Iterator[Fault]:
    """Yield a fault for each target that does not exist."""
    for target, item in zip(targets, found, strict=True):
        if item is None:
            yield Fault(target.pointer, missing(target.kind, target.name))


def repeated(targets: Sequence[Target], found: Sequence[BillingObject | None]) -> Iterator[Fault]:
    """Yield a fault for each target that another before it is too, by the same name or another."""
    seen: dict[tuple[str, str], str] = {}
    for target, item in zip(targets, found, strict=True):
        key = target.kind, target.name if item is None else item.id
        if key in seen:
            yield Fault(target.pointer, f"This is the same {target.kind} as {seen[key]}; give each once.")
        seen.setdefault(key, target.pointer)
