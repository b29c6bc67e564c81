"""Members: what a request gives of an object, and what all objects do with it."""

from collections.abc import Iterator
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from msgspec import UNSET, UnsetType

from owed.core.change import Change
from owed.core.journal import Journal
from owed.core.metadata import merged, metadata_faults
from owed.core.outcomes import Fault
from owed.core.state import Shelf, State
from owed.model.billing_object import BillingObject
from owed.model.payment_rules import PaymentRules
from owed.model.tenant_settings import TenantSettings

Noun = TypeVar("Noun", bound=BillingObject)
Value = TypeVar("Value")


class Members(Change[Noun], Generic[Noun], frozen=True, kw_only=True):
    """The members that a request gives of an object. UNSET: not given. None: to be cleared.

    Each noun says what is right on its own objects, how one is made, and how one is changed.

    Attributes:
        faulty: Members that were given in a form that is wrong: nothing follows from their being UNSET.
    """

    required: ClassVar[tuple[str, ...]] = ("external_reference",)
    settable: ClassVar[tuple[str, ...]] = ()
    """Members that a change puts in place as they are given. In a merge patch null clears them."""
    fixed: ClassVar[tuple[str, ...]] = ("id", "external_reference")
    lineage: ClassVar[tuple[str, ...]] = ()
    """Members that say which objects this one is to belong to: each a name, or a new object inline."""

    external_reference: str | UnsetType = UNSET
    payment_rules: PaymentRules | UnsetType | None = UNSET
    metadata: dict[str, str | None] | UnsetType = UNSET
    faulty: frozenset[str] = frozenset()

    def parents(self) -> "dict[str, str | Members[Any]]":
        """Give the objects that this one is to belong to, by member, as far as they are given."""
        return {name: parent for name in self.lineage if (parent := getattr(self, name)) is not UNSET}

    def lineage_faults(self) -> Iterator[Fault]:
        """Yield what is wrong with the parents that are given, for the object that the request is about."""
        return iter(())

    def faults(self, standing: Noun | None) -> Iterator[Fault]:
        """Yield what is wrong beyond the form.

        Args:
            standing: The object to be changed; None where one is to be made.
        """
        for name in self.required if standing is None else ():
            if getattr(self, name) is UNSET and name not in self.faulty:
                yield Fault(f"/{name}", "This is required.")
        if self.metadata is not UNSET:
            yield from metadata_faults(merged(standing.metadata if standing else {}, self.metadata))

    def made(self, making: "Making") -> Noun:
        """Make the object, and record it."""
        raise NotImplementedError

    def recorded(self, before: Noun, after: Noun, journal: Journal) -> Noun:
        """Record the change, and tell of it. Who put right what is owed, or changed the rules, is kept in any case."""
        if (before.obligation, before.payment_rules) != (after.obligation, after.payment_rules):
            journal.attest()
        return journal.record(after, *self.news(before, after))

    def news(self, before: Noun, after: Noun) -> tuple[str, ...]:
        """List the types of the events that tell of a change."""
        return (f"{self.kind}.updated",)

    def plain(self, standing: Noun) -> dict[str, Any]:
        """Give the members that are put in place as they are given, and the metadata merged."""
        given = {name: value for name in self.settable if (value := getattr(self, name)) is not UNSET}
        if self.metadata is not UNSET:
            given["metadata"] = merged(standing.metadata, self.metadata)
        return given


class Making(NamedTuple):
    """What an object is made from, besides its members."""

    state: State
    journal: Journal
    settings: TenantSettings

    def parent(self, given: str | Members[Noun] | UnsetType, shelf: Shelf[Noun]) -> Noun:
        """Give the object that a name stands for, or make the one that is given inline."""
        if isinstance(given, Members):
            return given.made(self)
        found = shelf.find(self.journal.tenant_id, certain(given))
        if found is None:
            raise LookupError(given)  # a command looks for every name before it makes anything
        return found

    def basics(self, members: Members[Any], prefix: str, rules: PaymentRules) -> dict[str, Any]:
        """Give what every new object has: its names, its times, and rules where the request gives none."""
        now = self.journal.stamp.now
        return {
            "tenant_id": self.journal.tenant_id,
            "id": self.journal.stamp.new_id(prefix),
            "external_reference": members.external_reference,
            "created_at": now,
            "updated_at": now,
            "payment_rules": rules,
        }


def certain(value: Value | UnsetType) -> Value:
    """Give a value that has been found to be given."""
    if value is UNSET:
        raise ValueError("a required member is not given")
    return value
