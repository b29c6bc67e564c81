"""Refunds and reversals over HTTP: what takes a payment back (contract, section 6)."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import UNSET

from owed.api.composites import Items, Object
from owed.api.fields import Choice, Faults, Field, Integer, Moment, Pattern, Text
from owed.api.forms import LASTING_METADATA, ours, usable
from owed.api.payment_documents import PaymentDocuments
from owed.api.payments import MOST_APPLICATIONS, reference, sum_faults
from owed.core.outcomes import Fault
from owed.core.state import NAME
from owed.core.taking_back import Portion, RefundPayment, ReversePayment, TakeBack
from owed.model.payment import MAX_PAYMENT
from owed.model.taken_back import ReversalReason

WANTED = Object(
    {
        "id": Pattern(
            NAME, 255, "the id of an application", "Of the application, `ob_…`.", "ob_0Nn4c3kXq1J8eY2bT5vR7s"
        ),
        "amount": Integer(1, MAX_PAYMENT, "What to take of it, in minor units.", 500),
    },
    dict,
    "What to take of one application.",
    required=("id", "amount"),
)


class TakingBack(PaymentDocuments):
    """One way to take a payment back.

    Args:
        command: Does it.
        members: Those that only this way has.
        required: Members that must be given.
    """

    def __init__(self, command: type[TakeBack], members: Mapping[str, Field], required: tuple[str, ...] = ()) -> None:
        kind = command.makes.kind
        form = Object(
            {
                **ours("id", "payment_id", "amount_unallocated", "currency", "created_at"),
                "amount": Integer(1, MAX_PAYMENT, "What to take back, in minor units; all that is left.", 500),
                "applications": Items(
                    WANTED,
                    MOST_APPLICATIONS,
                    "What to take of which application; unallocated money and then the newest first, if not given.",
                ),
                "external_reference": reference(f"the {kind}, unique among your {kind}s", "RET1234567890"),
                **members,
                "metadata": LASTING_METADATA,
            },
            dict,
            f"What the {kind} is of. Without `amount` and `applications`, all that is left of the payment.",
            required=required,
        )
        super().__init__(command, form, may_be_empty=True)

    def read(self, value: Any, faults: Faults) -> dict[str, Any]:
        """Read what is taken back, as far as it is right, and note every fault of the rest."""
        given = self.form.check_members(value, "", faults)
        wanted = given.pop("applications", UNSET)
        if wanted is UNSET:
            return usable(given)
        faults.found += application_faults(wanted, given.get("amount", UNSET))
        return {"portions": tuple(portions_of(wanted)), **usable(given)}


def application_faults(wanted: list[dict[str, Any]], amount: Any) -> Iterator[Fault]:
    """Yield what is wrong with the parts that are wanted, beside each other and beside the amount of all."""
    seen: dict[str, int] = {}
    for place, part in enumerate(wanted):
        name = part.get("id", UNSET)
        if name is not UNSET and seen.setdefault(name, place) != place:
            yield Fault(
                f"/applications/{place}/id", f"This is the same as /applications/{seen[name]}/id; give it once."
            )
    yield from sum_faults(wanted, amount)


def portions_of(wanted: list[dict[str, Any]]) -> Iterator[Portion]:
    """Yield what is wanted of each application, as far as the form is right."""
    for place, part in enumerate(wanted):
        if UNSET not in (part.get("id", UNSET), part.get("amount", UNSET)):
            yield Portion(part["id"], part["amount"], f"/applications/{place}")


REFUNDS = TakingBack(RefundPayment, {"reason": Text(255, "Why the money is given back.", "paid twice")})
REVERSALS = TakingBack(
    ReversePayment,
    {
        "reason": Choice(tuple(ReversalReason), "Why the money never was good.", ReversalReason.DISHONOURED.value),
        "occurred_at": Moment("When it happened, where that was before now.", "2026-02-03T07:15:00Z"),
    },
    required=("reason",),
)
