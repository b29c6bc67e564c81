"""Payments: how one is decided, and applied to what it pays (contract, section 6)."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from owed.core.applying import apply, duplicates_since, with_unallocated
from owed.core.currencies import currency_faults
from owed.core.journal import Journal
from owed.core.ledger import Source
from owed.core.members import certain
from owed.core.metadata import metadata_faults
from owed.core.outcomes import Code, Done, Fault, Outcome, Refused, invalid
from owed.core.receiving import Split, split
from owed.core.stamp import Stamp
from owed.core.state import Name, State
from owed.core.targets import Target, absent, found_of, names_of, repeated
from owed.core.times import future_faults
from owed.core.verdicts import Verdict, explained, refused, verdicts_of
from owed.model.attribution import Actor
from owed.model.billing_object import BillingObject
from owed.model.customer import Customer
from owed.model.identifiers import APPLICATION, PAYMENT
from owed.model.payment import Application, Payment, in_channel, name_in_channel
from owed.model.transfer import Cause


class Pay(msgspec.Struct, frozen=True, kw_only=True):
    """Take a payment, and apply it to everything that it names, or to nothing.

    Attributes:
        amount: Minor units. UNSET, here and below: not given, or given in a form that is wrong.
        targets: What it is applied to, as far as its form is right.
        paid_at: When the payer paid; UNSET: now.
        is_received: Whether the money is in the bank already: then no rule refuses it.
        owner: What the request calls the customer whose money it is that fits nowhere.
        faults: What is wrong with the request already, as far as its form goes.
    """

    tenant_id: int
    actor: Actor
    amount: int | UnsetType = UNSET
    currency: str | UnsetType = UNSET
    targets: tuple[Target, ...] = ()
    external_reference: str | None = None
    channel: str | None = None
    method: str | None = None
    provider_reference: str | None = None
    paid_at: datetime | UnsetType = UNSET
    metadata: dict[str, str] = {}
    is_received: bool = False
    owner: str | None = None
    faults: tuple[Fault, ...] = ()

    def reads(self) -> tuple[Name, ...]:
        """Name everything that is to be paid, and whose the rest is."""
        names = names_of(self.targets, self.tenant_id)
        return names if self.owner is None else (*names, Name(Customer.kind, self.tenant_id, self.owner))

    def claims(self) -> tuple[Name, ...]:
        """Name the payment's reference in its channel."""
        name = self._name
        return () if name is None else (Name(Payment.kind, self.tenant_id, name),)

    def decide(self, state: State, journal: Journal) -> Outcome:
        """Take the payment, unless its form, an absent object, its reference or the payment rules forbid it."""
        found = found_of(self.targets, state, self.tenant_id)
        if refusal := self._unusable(found, journal.stamp.now) or self._taken(state):
            return refusal
        if self.is_received:
            return Done(self._made(self._split(found, state), journal), created=True)
        verdicts = list(verdicts_of(self.targets, found, certain(self.currency)))
        if all(verdict.explanation.allowed for verdict in verdicts):
            return Done(self._made(Split(verdicts), journal), created=True)
        state.require(self.claims())
        return refused(verdicts, certain(self.currency))

    def check(self, state: State, journal: Journal) -> dict[str, Any] | Refused:
        """Say whether the payment would be taken, why, and how everything that it names would stand after it.

        Args:
            journal: What the payment would write; nobody may apply it.
        """
        found = found_of(self.targets, state, self.tenant_id)
        if refusal := self._unusable(found, journal.stamp.now):
            return refusal
        verdicts = list(verdicts_of(self.targets, found, certain(self.currency)))
        is_allowed = self.is_received or all(verdict.explanation.allowed for verdict in verdicts)
        further: dict[str, Any] = {}
        if self.is_received:
            payment = self._made(self._split(found, state), journal)
            further = {name: payment.shown()[name] for name in ("amount_unallocated", "rule_breaches")}
        elif is_allowed:
            self._made(Split(verdicts), journal)
        after = {item.id: item for item in journal.objects}
        items = [after.get(verdict.item.id, verdict.item) for verdict in verdicts]
        if lookalike := self._lookalike(verdicts, journal):
            further["possible_duplicate_of"] = lookalike
        return {"allowed": is_allowed, **explained(verdicts), **further, "after": [item.shown() for item in items]}

    @property
    def _name(self) -> str | None:
        return None if self.external_reference is None else name_in_channel(self.external_reference, self.channel)

    def _split(self, found: list[BillingObject | None], state: State) -> Split:
        """Split what has been received among what is there."""
        owner = None if self.owner is None else (self.owner, state.customers.find(self.tenant_id, self.owner))
        return split(certain(self.amount), certain(self.currency), self.targets, found, owner)

    def _unusable(self, found: list[BillingObject | None], now: datetime) -> Refused | None:
        """Refuse a request that is not valid, or that names an object that does not exist."""
        if faults := (*self.faults, *self._further_faults(found, now)):
            return invalid(faults)
        if self.is_received:
            return None
        faults = tuple(absent(self.targets, found))
        return Refused(Code.NOT_FOUND, faults[0].detail, faults) if faults else None

    def _further_faults(self, found: list[BillingObject | None], now: datetime) -> Iterator[Fault]:
        """Yield what is wrong beyond the form."""
        if len(self.targets) > 1:
            yield from repeated(self.targets, found)
        standing = {item.obligation.currency for item in found if item is not None}
        if self.currency not in standing:
            yield from currency_faults(None, self.currency)
        yield from future_faults("/paid_at", self.paid_at, now)
        yield from metadata_faults(self.metadata)

    def _taken(self, state: State) -> Refused | None:
        """Refuse for a reference that another payment has in the channel."""
        name = self._name
        holder = None if name is None else state.payments.holder(self.tenant_id, name)
        if holder is None:
            return None
        where = in_channel(self.channel)
        detail = f"The external reference {self.external_reference!r} {where} belongs to the payment {holder.id}."
        fault = Fault("/external_reference", "Choose another, or retrieve the payment that has it.")
        return Refused(Code.CONFLICT, detail, (fault,), {"payment_id": holder.id})

    def _lookalike(self, verdicts: Sequence[Verdict], journal: Journal) -> str | None:
        """Give the id of the newest payment that looks the same: as much, to the same, by the same channel."""
        since = duplicates_since(journal)
        if since is None:
            return None
        found = (item.obligation.lookalike(target.amount, self.channel, since) for target, item, _ in verdicts)
        return max(filter(None, found), default=None)

    def _made(self, split: Split, journal: Journal) -> Payment:
        """Make the payment, and apply it."""
        now = journal.stamp.now
        payment = Payment(
            tenant_id=self.tenant_id,
            id=journal.stamp.new_id(PAYMENT),
            external_reference=self.external_reference,
            channel=self.channel,
            method=self.method,
            provider_reference=self.provider_reference,
            amount=certain(self.amount),
            currency=certain(self.currency),
            applications=applications_of(split.verdicts, journal.stamp),
            metadata=self.metadata,
            paid_at=now if self.paid_at is UNSET else self.paid_at,
            created_at=now,
            updated_at=now,
            is_received=self.is_received,
            unallocated_customer_id=split.customer_id,
            rule_breaches=split.breaches,
            possible_duplicate_of=self._lookalike(split.asked or split.verdicts, journal),
        )
        source = Source(Cause.PAYMENT, payment.id, payment.channel, payment.paid_at)
        for application, verdict in zip(payment.applications, split.verdicts, strict=True):
            apply(payment, application, verdict.item, source, journal)
        if split.rest:
            payment = with_unallocated(payment, split.rest, source, journal)
        journal.concern(payment.id, "payment.create")
        return journal.keep(payment)


def applications_of(verdicts: Sequence[Verdict], stamp: Stamp) -> tuple[Application, ...]:
    """Make the applications of a payment that passes."""
    return tuple(
        Application(
            id=stamp.new_id(APPLICATION),
            kind=item.kind,
            object_id=item.id,
            amount=target.amount,
            owners=item.owners,
        )
        for target, item, _ in verdicts
    )
