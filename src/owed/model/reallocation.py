"""What takes money of a payment elsewhere: an allocation, of what was applied to nothing, or a move of what was."""

from typing import Any, ClassVar

from owed.model.payment_document import PaymentDocument, Share


class Allocation(PaymentDocument, frozen=True, kw_only=True):
    """Unallocated money of a payment, applied to obligations."""

    kind: ClassVar[str] = "allocation"


class Move(PaymentDocument, frozen=True, kw_only=True):
    """What a payment held on one obligation, taken to another.

    Attributes:
        origin: What it takes of the application that held it.
        applications: The one that holds it now; none where it is unallocated money.
    """

    kind: ClassVar[str] = "move"

    origin: Share

    def parts(self) -> dict[str, Any]:
        """Give the members that say where the money was, and where it went."""
        destination = next((share.shown() for share in self.applications), None)
        return {"from": self.origin.shown(), "to": destination}
