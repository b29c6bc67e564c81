"""Lists over HTTP: what is asked for, and the pages that they give (contract, 1.6)."""

import asyncio
import re
from datetime import UTC, datetime

import msgspec

from owed.api import query
from owed.api.fields import Faults
from owed.api.filters import PAGING, TIMES, Filters, Given, due
from owed.api.messages import JSON, Request, Response
from owed.api.pagination import page_headers
from owed.api.service import Service
from owed.core.state import Name
from owed.model import search
from owed.model.identifiers import EPOCH
from owed.model.tenant_settings import TenantSettings
from owed.store.lists import END, Cursor, ListQuery, Page

DEFAULT_LIMIT = 20
MOST = 100
LIMIT = re.compile("[0-9]{1,3}").fullmatch


class Listing:
    """The list of the objects of a kind."""

    def __init__(self, kind: str, filters: Filters) -> None:
        self.kind = kind
        self.filters = filters

    async def respond(self, service: Service, request: Request) -> Response:
        """GET: list objects, newest first, and lead to the pages on either side."""
        faults = Faults()
        pairs = query.parameters(request, faults)
        scope = f"{request.key.tenant_id} {request.path} {sorted(pair for pair in pairs if pair[0] not in PAGING)}"
        given = self.filters.read(pairs, faults)
        asked = msgspec.structs.replace(
            self.query(request.key.tenant_id, request.key.settings, given, faults),
            limit=limit(given.once.get("limit"), faults),
            cursor=cursor(service, given.once.get("cursor"), scope, faults),
        )
        query.refuse_faulty(faults)
        page = await self._page(service, asked, given)
        at = asked.cursor.id if asked.cursor else ""
        first, last = (page.objects[0].id, page.objects[-1].id) if page.objects else (at, at)
        newer = service.cursors.sign(Cursor(newer=True, id=first), scope) if page.has_newer else None
        older = service.cursors.sign(Cursor(newer=False, id=last), scope) if page.has_older else None
        filters = [pair for pair in pairs if pair[0] != "cursor"]
        headers = page_headers(request.path, filters, next_cursor=older, prev_cursor=newer)
        body = msgspec.json.encode({"data": [item.shown() for item in page.objects]})
        return Response(200, body, {"content-type": JSON, **headers})

    def query(self, tenant_id: int, settings: TenantSettings, given: Given, faults: Faults) -> ListQuery:
        """Make the query of the filters that are given, but for the owners, which must be looked up."""
        times = {name: query.timestamp(given.once[name], name, faults) for name in TIMES if name in given.once}
        return ListQuery(
            kind=self.kind,
            tenant_id=tenant_id,
            limit=MOST,
            external_reference=given.checked.get("external_reference"),
            terms=frozenset(self.filters.terms(given, faults)),
            due=due(given.checked, today=settings.date_at(datetime.now(UTC))),
            created_after=times.get("created_after") or EPOCH,
            created_before=times.get("created_before") or END,
        )

    async def _page(self, service: Service, asked: ListQuery, given: Given) -> Page:
        """Read a page. Where a filter names an owner that does not exist, it is empty."""
        kinds = [kind for kind in self.filters.owners if kind in given.checked]
        names = [Name(kind, asked.tenant_id, given.checked[kind]) for kind in kinds]
        owners = await asyncio.gather(*map(service.lookups.find, names))
        if None in owners:
            return Page([], has_newer=False, has_older=False)
        terms = asked.terms.union(search.owner_term(owner.id) for owner in owners)
        return await service.lists.page(msgspec.structs.replace(asked, terms=terms))


def limit(given: str | None, faults: Faults) -> int:
    """Read how many rows a page may have."""
    if given is None:
        return DEFAULT_LIMIT
    if not LIMIT(given) or not 1 <= int(given) <= MOST:
        faults.note(query.place("limit"), f"This must be a number from 1 to {MOST}.")
        return DEFAULT_LIMIT
    return int(given)


def cursor(service: Service, given: str | None, scope: str, faults: Faults) -> Cursor | None:
    """Read where a page begins."""
    found = None if given is None else service.cursors.read(given, scope)
    if given is not None and found is None:
        detail = "This must be a cursor that this list gave, with the same filters; leave it out to begin anew."
        faults.note(query.place("cursor"), detail)
    return found
