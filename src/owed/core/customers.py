"""Customers: create and update (contract, section 2)."""

from collections.abc import Iterator

import msgspec
from msgspec import UNSET, UnsetType

from owed.core.balances import currency_conflict, currency_faults, set_balance
from owed.core.journal import Journal
from owed.core.metadata import merged, metadata_faults
from owed.core.outcomes import Code, Done, Fault, Outcome, Refused, invalid, not_found
from owed.core.preconditions import IfMatch, stale
from owed.core.state import Name, State
from owed.model.attribution import Actor
from owed.model.customer import Customer
from owed.model.identifiers import CUSTOMER
from owed.model.payment_rules import PaymentRules

KIND = "customer"


class CustomerMembers(msgspec.Struct, frozen=True):
    """The members that a request gives. UNSET: not given. None: to be cleared."""

    id: object = UNSET
    external_reference: str | UnsetType = UNSET
    name: str | UnsetType | None = UNSET
    email: str | UnsetType | None = UNSET
    phone: str | UnsetType | None = UNSET
    currency: str | UnsetType = UNSET
    balance: int | UnsetType = UNSET
    payment_rules: PaymentRules | UnsetType | None = UNSET
    metadata: dict[str, str | None] | UnsetType = UNSET


class CreateCustomer(msgspec.Struct, frozen=True):
    """Create a customer.

    Attributes:
        faults: What is wrong with the request already, as far as its form goes.
        default_rules: The payment rules that the customer gets where the request gives none.
    """

    tenant_id: int
    actor: Actor
    members: CustomerMembers
    default_rules: PaymentRules
    faults: tuple[Fault, ...] = ()

    def reads(self) -> tuple[Name, ...]:
        """Name nothing: a customer has no parent."""
        return ()

    def claims(self) -> tuple[Name, ...]:
        """Name the external reference."""
        reference = self.members.external_reference
        return () if reference is UNSET else (Name(KIND, self.tenant_id, reference),)

    def decide(self, state: State, journal: Journal) -> Outcome:
        """Create the customer, unless its form or a standing reference forbids it."""
        members = self.members
        faults = (*self.faults, *currency_faults(None, members.currency, members.balance), *self._metadata_faults())
        if faults or members.external_reference is UNSET:
            return invalid(faults)
        if state.customers.find(self.tenant_id, members.external_reference):
            return duplicate(members.external_reference)
        return Done(self._created(members.external_reference, journal), created=True)

    def _metadata_faults(self) -> Iterator[Fault]:
        metadata = self.members.metadata
        return iter(()) if metadata is UNSET else metadata_faults(merged({}, metadata))

    def _created(self, external_reference: str, journal: Journal) -> Customer:
        now = journal.stamp.now
        bare = Customer(
            tenant_id=self.tenant_id,
            id=journal.stamp.new_id(CUSTOMER),
            external_reference=external_reference,
            created_at=now,
            updated_at=now,
            payment_rules=self.default_rules,
            event_sequence=1,
        )
        journal.concern(bare.id, "customer.create")
        customer = with_members(bare, self.members, journal)
        record(customer, "customer.created", journal)
        return customer


class UpdateCustomer(msgspec.Struct, frozen=True):
    """Change the given members of a customer.

    Attributes:
        name: The customer's id or external reference.
        if_match: The versions for which the change is meant.
        faults: What is wrong with the request already, as far as its form goes.
    """

    tenant_id: int
    actor: Actor
    name: str
    members: CustomerMembers
    if_match: IfMatch = None
    faults: tuple[Fault, ...] = ()

    def reads(self) -> tuple[Name, ...]:
        """Name the customer."""
        return (Name(KIND, self.tenant_id, self.name),)

    def claims(self) -> tuple[Name, ...]:
        """Name nothing: an external reference never changes."""
        return ()

    def decide(self, state: State, journal: Journal) -> Outcome:
        """Change the customer; where nothing would change, write nothing."""
        customer = state.customers.find(self.tenant_id, self.name)
        if customer is None:
            return not_found(KIND, self.name)
        refusal = stale(self.if_match, customer.version) or self._refusal(customer)
        return refusal or Done(self._changed(customer, journal))

    def _refusal(self, customer: Customer) -> Refused | None:
        if faults := (*self.faults, *self._faults(customer)):
            return invalid(faults)
        return currency_conflict(customer.obligation, self.members.currency)

    def _faults(self, customer: Customer) -> Iterator[Fault]:
        members = self.members
        yield from fixed_faults("id", members.id, customer.id)
        yield from fixed_faults("external_reference", members.external_reference, customer.external_reference)
        yield from currency_faults(customer.obligation.currency, members.currency, members.balance)
        if members.metadata is not UNSET:
            yield from metadata_faults(merged(customer.metadata, members.metadata))

    def _changed(self, customer: Customer, journal: Journal) -> Customer:
        journal.concern(customer.id, "customer.update")
        changed = with_members(customer, self.members, journal)
        if changed == customer:
            return customer
        changed = msgspec.structs.replace(
            changed,
            version=customer.version + 1,
            event_sequence=customer.event_sequence + 1,
            updated_at=max(journal.stamp.now, customer.updated_at),
        )
        record(changed, "customer.updated", journal)
        return changed


def with_members(customer: Customer, members: CustomerMembers, journal: Journal) -> Customer:
    """Give the customer with the given members in place; a new balance goes through the ledger."""
    given = {
        member: value
        for member in ("name", "email", "phone", "payment_rules")
        if (value := getattr(members, member)) is not UNSET
    }
    if members.metadata is not UNSET:
        given["metadata"] = merged(customer.metadata, members.metadata)
    obligation = set_balance(customer.obligation, customer.id, members.currency, members.balance, journal)
    return msgspec.structs.replace(customer, **given, obligation=obligation)


def record(customer: Customer, event_type: str, journal: Journal) -> None:
    """Write in the journal that the customer stands so from now on, and the event that tells of it."""
    journal.customers.append(customer)
    journal.tell(customer.id, customer.event_sequence, event_type, customer.shown())


def fixed_faults(member: str, given: object, standing: str) -> Iterator[Fault]:
    """Yield the fault of a member that never changes, where a client sends another value than it got."""
    if given is not UNSET and given != standing:
        yield Fault(f"/{member}", f"This never changes; leave it out, or send {standing!r}.")


def duplicate(external_reference: str) -> Refused:
    """Refuse a reference that another customer has."""
    detail = f"A customer with the external reference {external_reference!r} exists already; references are unique."
    return Refused(Code.CONFLICT, detail, (Fault("/external_reference", "Choose another, or update that customer."),))
