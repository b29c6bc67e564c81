"""Receiving: what of money that is here already goes to each of its targets, and what to none (section 6)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from owed.core.fitting import fitting
from owed.core.outcomes import missing
from owed.core.targets import Target
from owed.core.verdicts import Verdict, sentence, verdicts_of
from owed.model.billing_object import BillingObject
from owed.model.customer import Customer
from owed.model.payment import RuleBreach

NOT_FOUND = "not_found"
"""What is broken where a target does not exist."""


class Split(NamedTuple):
    """How a payment is split.

    Attributes:
        verdicts: What goes to each target that takes anything, and what the payment rules say of it.
        rest: What goes to none.
        customer_id: Whose the rest is, as far as that is known.
        breaches: All that the payment would have been refused for.
        asked: Of received money: what was to go to each target that exists.
    """

    verdicts: Sequence[Verdict]
    rest: int = 0
    customer_id: str | None = None
    breaches: tuple[RuleBreach, ...] = ()
    asked: Sequence[Verdict] = ()


def split(
    amount: int,
    currency: str,
    targets: Sequence[Target],
    found: Sequence[BillingObject | None],
    owner: tuple[str, Customer | None] | None,
) -> Split:
    """Split received money: each target takes what it can, in order, and the rest is unallocated.

    Args:
        found: The objects that the targets name; None where there is none.
        owner: What the request calls the customer whose the rest is, and that customer; None where it names none.
    """
    verdicts = list(verdicts_of(targets, found, currency))
    taking = [
        verdict._replace(target=verdict.target._replace(amount=taken))
        for verdict in verdicts
        if (taken := min(verdict.target.amount, fitting(verdict.item, currency)))
    ]
    rest = amount - sum(verdict.target.amount for verdict in taking)
    breaches = list(breaches_of(targets, found, verdicts, currency))
    if owner is not None and owner[1] is None:
        breaches.append(absence(Target(Customer.kind, owner[0], rest, "/customer")))
    return Split(taking, rest, owner_of(rest, verdicts, owner), tuple(breaches), verdicts)


def breaches_of(
    targets: Sequence[Target], found: Sequence[BillingObject | None], verdicts: Sequence[Verdict], currency: str
) -> Iterator[RuleBreach]:
    """Yield all that a plain payment would be refused for, in the order of its targets."""
    judged = iter(verdicts)
    for target, item in zip(targets, found, strict=True):
        if item is None:
            yield absence(target)
        else:
            yield from broken(next(judged), currency)


def absence(target: Target) -> RuleBreach:
    """Make the breach of a target that does not exist."""
    detail = missing(target.kind, target.name)
    return RuleBreach(rule=NOT_FOUND, detail=detail, kind=target.kind, name=target.name, amount=target.amount)


def broken(verdict: Verdict, currency: str) -> Iterator[RuleBreach]:
    """Yield each payment rule that a target's part breaks."""
    for rule in verdict.explanation.rules:
        yield RuleBreach(
            rule=rule.value,
            detail=sentence(rule, verdict, currency),
            kind=verdict.item.kind,
            object_id=verdict.item.id,
            amount=verdict.target.amount,
        )


def owner_of(rest: int, verdicts: Sequence[Verdict], owner: tuple[str, Customer | None] | None) -> str | None:
    """Give whose the rest is: the customer's that is named, or else that of the first target that exists."""
    if owner is not None and owner[1] is not None:
        return owner[1].id
    return customer_of(verdicts[0].item) if rest and verdicts else None


def customer_of(item: BillingObject) -> str:
    """Give the id of the customer that an object is, or belongs to."""
    return item.owners[0] if item.owners else item.id
