"""Entries over HTTP: what happened to what is owed on one object, newest first (contract, section 6)."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET

from owed.api import query
from owed.api.fields import Choice, Faults, Field, Moment, Pattern
from owed.api.filters import PAGING
from owed.api.lists import Paging
from owed.api.messages import Request, Response
from owed.api.problems import Refusal
from owed.api.service import Service
from owed.core.outcomes import not_found
from owed.core.state import Name
from owed.model.transfer import Cause
from owed.store.entries import EntryQuery

FIELDS: Mapping[str, Field] = {
    "cause": Choice(tuple(Cause), "Only those made for this reason.", Cause.PAYMENT),
    "actor": Pattern(
        r"[^\x00-\x1f\x7f-\x9f]{1,255}",
        255,
        "1 to 255 printable characters",
        "Only those made by this `Owed-Actor`, whole and as it was sent.",
        "jane@example.com",
    ),
}

TIMES: Mapping[str, Field] = {
    "recorded_after": Moment("Recorded after this time.", "2026-01-31T00:00:00Z", is_bound=True),
    "recorded_before": Moment("Recorded before this time.", "2026-03-01T00:00:00Z", is_bound=True),
    "occurred_after": Moment("Occurred after this time.", "2026-01-31T00:00:00Z", is_bound=True),
    "occurred_before": Moment("Occurred before this time.", "2026-03-01T00:00:00Z", is_bound=True),
}

PARAMETERS = (*FIELDS, *TIMES, *PAGING)


class EntryList:
    """The list of the entries of an object.

    Args:
        kind: Of the object.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind

    async def respond(self, service: Service, request: Request) -> Response:
        """GET: list the entries of an object by its id or external reference, newest first."""
        (name,) = request.arguments
        found = await service.lookups.find(Name(self.kind, request.key.tenant_id, name))
        if found is None:
            raise Refusal(not_found(self.kind, name))
        faults = Faults()
        pairs = query.parameters(request, faults)
        filters = checked(query.known_of(pairs, PARAMETERS, faults), faults)
        paging = Paging.of(service, request, pairs, faults)
        query.refuse_faulty(faults)
        asked = EntryQuery(found.tenant_id, found.id, paging.limit, paging.cursor, **filters)
        return paging.response(await service.entries.page(asked))


def checked(given: dict[str, str], faults: Faults) -> dict[str, Any]:
    """Give the filters as far as they are right, and note what is wrong with the others."""
    fields = {name: field for name, field in (*FIELDS.items(), *TIMES.items()) if name in given}
    values = {name: field.check(given[name], query.place(name), faults) for name, field in fields.items()}
    return {name: value for name, value in values.items() if value is not UNSET}
