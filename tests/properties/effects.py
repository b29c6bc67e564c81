"""What a request that was carried out must have done, going by nothing but what it said."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from owed.model.event import Event
from tests.properties.promises import Json, shown_by
from tests.properties.requests import Request

TARGETS = ("bill", "account", "customer")
PARENTS = ("customer", "account")
PERSONAL = {"name", "email", "phone", "metadata"}
DERIVED = ("status", "amount_remaining")


def faults_of_change(request: Request, shown: Json) -> Iterator[str]:
    """What a change gave is shown, and what it cleared is not; what follows from it may have changed."""
    moved = ("balance",) if request.body.get("balance_as_of") else ()
    if not holds(shown, without((*DERIVED, "balance_as_of", *moved), request.body), is_merge=request.is_merge):
        yield f"{request} gave {shown}"


def faults_of_erasure(shown: Json) -> Iterator[str]:
    """Whoever is erased is left with no name, no address and no metadata, and goes by a pseudonym."""
    if not PERSONAL.isdisjoint(shown) or not shown["external_reference"].startswith("erased_"):
        yield f"is left with {shown}"


def faults_of_payment(request: Request, shown: Json) -> Iterator[str]:
    """A payment, and what takes one back, has the amounts that were asked for, and its applications add up to them."""
    given = {name: value for name, value in request.body.items() if name not in {*TARGETS, "paid_at", "applications"}}
    parts = [part["amount"] for part in shown["applications"]]
    if not holds(shown, given) or sum(parts) + shown.get("amount_unallocated", 0) != shown["amount"]:
        yield f"{request} gave {shown}"
    if request.body.get("received"):
        return  # each took what it could
    asked = [part["amount"] for part in request.body.get("applications", [])]
    if asked and parts != asked:
        yield f"{request} was applied as {parts}"


def faults_of_reallocation(request: Request, shown: Json) -> Iterator[str]:
    """An allocation or a move has the amount that was asked for, and what it made adds up to that."""
    given = {name: value for name, value in request.body.items() if name in {"amount", "external_reference"}}
    made = [shown["to"]] if "to" in shown else shown.get("applications", [])
    if not holds(shown, given) or (made and sum(part["amount"] for part in made) != shown["amount"]):
        yield f"{request} gave {shown}"


def faults_of_adjustment(request: Request, shown: Json) -> Iterator[str]:
    """A charge or a credit shows what was given."""
    if not holds(shown, without(("occurred_at",), request.body)):
        yield f"{request} gave {shown}"


class Family:
    """What was ever made, by the names that it ever had, and each object as it was when it was made.

    Attributes:
        names: Tenant, kind and reference of every object. Several have the same, where one was erased before the next.
    """

    def __init__(self, events: list[Event]) -> None:
        self.names: set[tuple[int, str, str]] = set()
        self._named: dict[tuple[int, str, str], set[str]] = defaultdict(set)
        self._made: dict[tuple[int, str], Json] = {}
        for event in events:
            kind, _, what = event.type.partition(".")
            if what in {"created", "updated"}:
                self._note(event, kind, shown_by(event), is_new=what == "created")

    def _note(self, event: Event, kind: str, shown: Json, *, is_new: bool) -> None:
        if is_new:
            self.names.add((event.tenant_id, kind, shown["external_reference"]))
            self._made[event.tenant_id, event.object_id] = shown
        for name in (event.object_id, shown["external_reference"]):
            self._named[event.tenant_id, kind, name].add(event.object_id)

    def faults(self, request: Request) -> Iterator[str]:
        """All that a request gave is shown on what it made, and each part belongs to what it named or made for it."""
        yield from self._faults_of_part(request.tenant_id, request.kind, request.body)

    def _faults_of_part(self, tenant_id: int, kind: str, body: Json) -> Iterator[str]:
        made = [self._made[tenant_id, each] for each in self._named[tenant_id, kind, body["external_reference"]]]
        yield from min((list(self._faults_of_one(tenant_id, kind, body, shown)) for shown in made), key=len)

    def _faults_of_one(self, tenant_id: int, kind: str, body: Json, shown: Json) -> Iterator[str]:
        if not holds(shown, without(PARENTS, body)):
            yield f"of {body} was made {shown}"
        for parent in PARENTS:
            if given := body.get(parent):
                name = given["external_reference"] if isinstance(given, dict) else given
                if shown.get(f"{parent}_id") not in self._named[tenant_id, parent, name]:
                    yield f"{shown} does not belong to {given}"
            if isinstance(given, dict):
                yield from self._faults_of_part(tenant_id, parent, given)
        if kind == "bill" and ("account_id" in shown) != bool(body.get("account")):
            yield f"{shown} was asked for as {body}"


def without(names: tuple[str, ...], body: Json) -> Json:
    return {name: value for name, value in body.items() if name not in names}


def holds(shown: Any, given: Any, *, is_merge: bool = False) -> bool:
    """Tell whether what is given is shown. Null clears in a merge patch, and elsewhere says nothing."""
    if given is None:
        return shown is None or not is_merge
    if isinstance(given, dict):
        return all(holds((shown or {}).get(name), value, is_merge=is_merge) for name, value in given.items())
    return type(shown) is type(given) and bool(shown == given)
