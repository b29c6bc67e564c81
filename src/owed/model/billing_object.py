"""What customers, accounts and bills have in common."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from owed.model import search
from owed.model.obligation import Obligation
from owed.model.payment_rules import PaymentRules


class BillingObject(msgspec.Struct, frozen=True, kw_only=True):
    """An object of one tenant that can owe money.

    Attributes:
        kind: What the API calls it; its plural is the object's path.
        obligation: What is owed on the object itself.
        version: Counts the changes of the object; its ETag.
        event_sequence: Counts the object's events, without gaps.
    """

    kind: ClassVar[str]

    tenant_id: int
    id: str
    external_reference: str
    created_at: datetime
    updated_at: datetime
    payment_rules: PaymentRules | None = None
    metadata: dict[str, str] = {}
    obligation: Obligation = Obligation()
    version: int = 1
    event_sequence: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Give what the object goes by beside its id."""
        return (self.external_reference,)

    @property
    def owners(self) -> tuple[str, ...]:
        """Give the ids of the objects that it belongs to."""
        return ()

    @property
    def path(self) -> str:
        """Give where the API has the object."""
        return f"/billing/{self.kind}s/{self.id}"

    def members(self) -> dict[str, Any]:
        """Give the members of the object in the order of the contract; None for what is not set."""
        raise NotImplementedError

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows; what is not set is absent."""
        return {name: value for name, value in self.members().items() if value is not None}

    def searched(self) -> tuple[Any, ...]:
        """Give all that the object's search terms are made of, as far as it can change."""
        return self.external_reference, self.metadata, self.obligation.currency

    def terms(self) -> Iterator[str]:
        """Yield every term that the object is found by in a list."""
        yield from (search.metadata_term(key, value) for key, value in self.metadata.items())
        if self.obligation.currency is not None:
            yield search.currency_term(self.obligation.currency)
