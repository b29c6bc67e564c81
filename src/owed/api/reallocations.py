"""Allocations and moves over HTTP: money of a payment that goes elsewhere, or somewhere at last (section 6)."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import UNSET

from owed.api.composites import Items, Object
from owed.api.fields import Faults, Field, Integer, Pattern, Text
from owed.api.forms import LASTING_METADATA, ours, usable
from owed.api.payment_documents import PaymentDocuments
from owed.api.payments import (
    APPLICATION,
    KINDS,
    MOST_APPLICATIONS,
    TARGETS,
    application_faults,
    reference,
    targets_of,
)  # fmt: skip
from owed.core.outcomes import Fault
from owed.core.reallocating import Allocate, MovePayment
from owed.core.state import NAME
from owed.core.targets import Target
from owed.model.payment import MAX_PAYMENT

PLAIN: tuple[str, ...] = ("reason", "external_reference", "metadata")
"""Members that are taken as they are given."""


def beside(kind: str, why: str) -> Mapping[str, Field]:
    """Make the fields that both have beside what is applied to what."""
    return {
        "reason": Text(255, f"Why the money is {why}.", "the payer sent the advice"),
        "external_reference": reference(f"the {kind}, unique among your {kind}s", "CASE-4711"),
        "metadata": LASTING_METADATA,
    }


class Allocations(PaymentDocuments):
    """What applies unallocated money."""

    def __init__(self) -> None:
        form = Object(
            {
                **ours("id", "payment_id", "currency", "created_at"),
                "amount": Integer(1, MAX_PAYMENT, "How much, in minor units; all that fits, if not given.", 1000),
                **TARGETS,
                "applications": Items(
                    APPLICATION, MOST_APPLICATIONS, "All that the money is applied to, where it is more than one thing."
                ),
                **beside("allocation", "applied there"),
            },
            dict,
            "What unallocated money is applied to: one `bill`, `account` or `customer`, or several `applications`.",
        )
        super().__init__(Allocate, form)

    def read(self, value: Any, faults: Faults) -> dict[str, Any]:
        """Read what the money is applied to, as far as it is right, and note every fault of the rest."""
        given = self.form.check_members(value, "", faults)
        if type(value) is dict:
            faults.found += allocation_faults(given)
        is_all = "applications" not in given and "amount" not in given
        targets = tuple(targets_of({**given, "amount": 0} if is_all else given))
        plain = {name: given[name] for name in PLAIN if name in given}
        return {"targets": targets, "is_all": is_all, **usable(plain)}


class Moves(PaymentDocuments):
    """What takes money from one obligation to another."""

    def __init__(self) -> None:
        form = Object(
            {
                **ours("id", "payment_id", "currency", "created_at", "from", "to"),
                "application": Pattern(
                    NAME,
                    255,
                    "the id of an application",
                    "What holds the money, `ob_…`; it may be left out where only one does.",
                    "ob_0Nn4c3kXq1J8eY2bT5vR7s",
                ),
                "amount": Integer(1, MAX_PAYMENT, "How much, in minor units; all that it holds, if not given.", 500),
                **TARGETS,
                **beside("move", "moved"),
            },
            dict,
            "What is moved, and where: to one `bill`, `account` or `customer`; to none, and it is unallocated money.",
        )
        super().__init__(MovePayment, form)

    def read(self, value: Any, faults: Faults) -> dict[str, Any]:
        """Read what is moved and where, as far as it is right, and note every fault of the rest."""
        given = self.form.check_members(value, "", faults)
        faults.found += one_way_faults([kind for kind in KINDS if kind in given])
        named = [kind for kind in KINDS if given.get(kind, UNSET) is not UNSET]
        target = Target(named[0], given[named[0]], 0, f"/{named[0]}") if named else None
        plain = {name: member for name, member in given.items() if name not in KINDS}
        return {"target": target, **usable(plain)}


def allocation_faults(given: dict[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with the members of an allocation beside each other."""
    ways = [name for name in (*KINDS, "applications") if name in given]
    if not ways:
        yield Fault("", "An allocation goes somewhere: give `bill`, `account`, `customer` or `applications`.")
    yield from one_way_faults(ways)
    if given.get("applications", UNSET) is not UNSET:
        yield from application_faults(given["applications"], given.get("amount", UNSET))


def one_way_faults(ways: list[str]) -> Iterator[Fault]:
    """Yield a fault for each way beside the first in which money is to go."""
    for name in ways[1:]:
        yield Fault(f"/{name}", f"Leave this out, as `{ways[0]}` is given: the money goes one way.")


ALLOCATIONS = Allocations()
MOVES = Moves()
