"""Verdicts: what the payment rules say of each application of a payment, and how that is told (contract, section 5)."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from owed.core.outcomes import Code, Fault, Refused
from owed.core.rules import Explanation, Rule, explain, payable_of
from owed.core.targets import Target
from owed.model.billing_object import BillingObject

CLOSED = {Rule.NOT_PAYABLE: "has no payment rules", Rule.VOIDED: "is voided"}
"""What keeps an object from being paid at all."""

WRONG = {
    Rule.MIN_AMOUNT: "less than its payment rules allow",
    Rule.MAX_AMOUNT: "more than its payment rules and its bounds allow",
    Rule.OVERPAYMENT_ALLOWED: "more than is owed, and its payment rules allow no overpayment",
    Rule.UNDERPAYMENT_ALLOWED: "less than is owed, and its payment rules allow no part payment",
}
"""What is wrong with an amount."""


class Verdict(NamedTuple):
    """What the rules say of one application."""

    target: Target
    item: BillingObject
    explanation: Explanation


def verdicts_of(targets: Sequence[Target], found: Sequence[BillingObject | None], currency: str) -> Iterator[Verdict]:
    """Yield what the payment rules say of every target that there is."""
    for target, item in zip(targets, found, strict=True):
        if item is not None:
            yield Verdict(target, item, explain(payable_of(item), target.amount, currency))


def explained(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Give the members that explain a payment, whether it passes or not.

    Where there are several applications, what would pass is of the first that is refused.
    """
    refusing = {rule for verdict in verdicts for rule in verdict.explanation.rules}
    members: dict[str, Any] = {"rules": [rule for rule in Rule if rule in refusing]}
    first = next((verdict for verdict in verdicts if not verdict.explanation.allowed), None)
    told = verdicts[0] if len(verdicts) == 1 else first
    if told:
        members |= passing(told.explanation)
    if len(verdicts) > 1:
        members["applications"] = [of_application(verdict) for verdict in verdicts]
    return members


def of_application(verdict: Verdict) -> dict[str, Any]:
    """Give the members that explain one application of several."""
    target, item, explanation = verdict
    return {
        f"{item.kind}_id": item.id,
        "amount": target.amount,
        "allowed": explanation.allowed,
        "rules": explanation.rules,
        **passing(explanation),
    }


def passing(explanation: Explanation) -> dict[str, Any]:
    """Give what would pass, as far as anything would."""
    members = {"would_pass": explanation.would_pass, "settles": explanation.settles}
    return {name: value for name, value in members.items() if value is not None}


def refused(verdicts: Sequence[Verdict], currency: str) -> Refused:
    """Refuse a payment for the rules that some of its applications break."""
    faults = tuple(
        Fault(place(rule, verdict.target), sentence(rule, verdict, currency))
        for verdict in verdicts
        for rule in verdict.explanation.rules
    )
    first = next(verdict for verdict in verdicts if not verdict.explanation.allowed)
    further = {"rule": first.explanation.rules[0], **explained(verdicts)}
    return Refused(Code.PAYMENT_REFUSED, faults[0].detail, faults, further)


def place(rule: Rule, target: Target) -> str:
    """Name the member that a rule finds fault with."""
    if rule in CLOSED:
        return target.pointer
    return "/currency" if rule is Rule.CURRENCY else target.amount_pointer


def sentence(rule: Rule, verdict: Verdict, currency: str) -> str:
    """Say what a rule has against a payment, and what would be right."""
    target, item, explanation = verdict
    whose = f"The {item.kind} {item.id}"
    if rule is Rule.CURRENCY:
        standing = item.obligation.currency
        reason = f"is in {standing}, so it cannot be paid in {currency}" if standing else "has no currency yet"
        return f"{whose} {reason}."
    if rule in CLOSED:
        return f"{whose} {CLOSED[rule]}, so it cannot be paid."
    return f"{whose} does not take {target.amount}: that is {WRONG[rule]}. {right(explanation)}"


def right(explanation: Explanation) -> str:
    """Say which amounts would pass."""
    ways = []
    if (between := explanation.would_pass) is not None:
        ways.append(str(between.min) if between.min == between.max else f"{between.min} to {between.max}")
    if explanation.settles is not None:
        ways.append(f"just {explanation.settles}, all that is owed")
    return f"It would take {', or '.join(ways)}." if ways else "No amount would pass at present."
