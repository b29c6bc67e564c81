"""The audit log over HTTP: who did what, newest first (contract, 1.8)."""

from collections.abc import Mapping
from typing import Any

from owed.api import query
from owed.api.entries import FIELDS as OF_ENTRIES
from owed.api.entries import TIMES as OF_TIMES
from owed.api.events import checked_of
from owed.api.fields import Faults, Field, Pattern
from owed.api.filters import PAGING
from owed.api.lists import Paging
from owed.api.messages import Request, Response
from owed.api.service import Service
from owed.core.state import NAME
from owed.store.audit import AuditQuery

FIELDS: Mapping[str, Field] = {
    "command": Pattern(
        r"[a-z_]+\.[a-z_]+", 80, "a command, such as settings.update", "Only this command.", "settings.update"
    ),
    "actor": OF_ENTRIES["actor"],
    "key": Pattern(NAME, 255, "the id of a key", "Only by this key: its id.", "key_0Nn4c3kXq1J8eY2bT5vR7s"),
    "object": Pattern(
        NAME, 255, "the id of an object", "Only what was done to this object: its id.", "bcus_0Nn4c3kXq1J8eY2bT5vR7s"
    ),
}

TIMES: Mapping[str, Field] = {name: OF_TIMES[name] for name in ("recorded_after", "recorded_before")}

PARAMETERS = (*FIELDS, *TIMES, *PAGING)

COLUMNS = {"key": "key_id", "object": "object_id"}
"""What the store calls a parameter, where that is something else."""


async def list_audit(service: Service, request: Request) -> Response:
    """GET /billing/audit: list who did what, newest first."""
    faults = Faults()
    pairs = query.parameters(request, faults)
    filters = filters_of(query.known_of(pairs, PARAMETERS, faults), faults)
    paging = Paging.of(service, request, pairs, faults)
    query.refuse_faulty(faults)
    asked = AuditQuery(request.key.tenant_id, paging.limit, paging.cursor, **filters)
    return paging.response(await service.audit.page(asked))


def filters_of(given: dict[str, str], faults: Faults) -> dict[str, Any]:
    """Give the filters as the store has them, as far as they are right, and note what is wrong with the others."""
    checked = checked_of(given, {**FIELDS, **TIMES}, faults)
    return {COLUMNS.get(name, name): value for name, value in checked.items()}
