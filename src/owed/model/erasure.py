"""An erasure: that a person was taken out of an object, which goes by a pseudonym from then on."""

from datetime import datetime
from typing import Any, ClassVar

import msgspec


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """That an object was erased: a customer, or one of its accounts.

    Attributes:
        id: Of the object.
        reference: What the object went by, until nothing is left of that either.
        up_to: The sequence of the last of its events that may tell of the person.
        version: Counts how often it was erased.
    """

    kind: ClassVar[str] = "erasure"

    tenant_id: int
    id: str
    reference: str | None
    up_to: int
    erased_at: datetime
    version: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        """Give what it goes by beside its id, which is nothing."""
        return ()

    @property
    def path(self) -> str:
        """Give where the API has it, which is nowhere: it is found in the audit log."""
        return "/billing/audit"

    @property
    def updated_at(self) -> datetime:
        """Give when the object was erased last."""
        return self.erased_at

    def shown(self) -> dict[str, Any]:
        """Give the members that may be shown."""
        return {"id": self.id, "erased_at": self.erased_at}
