"""Lists over HTTP: what is asked for, and the pages that they give (contract, 1.6)."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

import msgspec

from owed.api import query
from owed.api.fields import Faults
from owed.api.filters import PAGING, TIMES, Filters, Given, due, paid
from owed.api.messages import JSON, Request, Response
from owed.api.pagination import CursorSigner, page_headers
from owed.api.service import Service
from owed.core.state import Name
from owed.model import search
from owed.model.findable import Findable
from owed.model.identifiers import EPOCH
from owed.model.payment import PaymentStatus
from owed.model.tenant_settings import TenantSettings
from owed.store.list_queries import END, Cursor, ListQuery
from owed.store.lists import Page

DEFAULT_LIMIT = 20
MOST = 100
LIMIT = re.compile("[0-9]{1,3}").fullmatch


class Paging(NamedTuple):
    """Which page of a list is asked for, and what leads on from it.

    Attributes:
        pairs: The parameters of the request, less its cursor: they hold for the other pages too.
        scope: What a cursor of the list is good for: merchant, mode, route and filters.
    """

    signer: CursorSigner
    path: str
    pairs: list[tuple[str, str]]
    scope: str
    limit: int
    cursor: Cursor | None

    @classmethod
    def of(cls, service: Service, request: Request, pairs: list[tuple[str, str]], faults: Faults, *terms: str) -> Self:
        """Read which page a request asks for.

        Args:
            terms: What all objects of the list have, besides what the parameters say.
        """
        given = dict(pairs)
        filters = sorted(pair for pair in pairs if pair[0] not in PAGING)
        scope = f"{request.key.tenant_id} {request.path} {filters} {terms}"
        return cls(
            service.cursors,
            request.path,
            [pair for pair in pairs if pair[0] != "cursor"],
            scope,
            limit(given.get("limit"), faults),
            cursor(service, given.get("cursor"), scope, faults),
        )

    @classmethod
    def alone(cls, service: Service, request: Request) -> Self:
        """Read which page a request asks for of a list that has no filters.

        Raises:
            Refusal: It asks for something else, or in a wrong way.
        """
        faults = Faults()
        pairs = query.parameters(request, faults)
        query.known_of(pairs, PAGING, faults)
        paging = cls.of(service, request, pairs, faults)
        query.refuse_faulty(faults)
        return paging

    def response(self, page: Page[Any], **beside: object) -> Response:
        """Make the response that shows a page, and leads to those on either side.

        Args:
            beside: What is shown beside it.
        """
        sides = [side and self.signer.sign(side, self.scope) for side in (page.older, page.newer)]
        headers = page_headers(self.path, self.pairs, *sides)
        body = msgspec.json.encode({"data": [item.shown() for item in page.objects], **beside})
        return Response(200, body, {"content-type": JSON, **headers})


class Listing:
    """The list of the objects of a kind."""

    def __init__(self, kind: str, filters: Filters) -> None:
        self.kind = kind
        self.filters = filters

    async def respond(self, service: Service, request: Request, *terms: str) -> Response:
        """GET: list objects, newest first, and lead to the pages on either side.

        Args:
            terms: What all of them must have, besides what the filters say.
        """
        faults = Faults()
        pairs = query.parameters(request, faults)
        given = self.filters.read(pairs, faults)
        paging = Paging.of(service, request, pairs, faults, *terms)
        asked = self.query(request.key.tenant_id, request.key.settings, given, faults)
        query.refuse_faulty(faults)
        paged = msgspec.structs.replace(asked, terms=asked.terms.union(terms), limit=paging.limit, cursor=paging.cursor)
        return paging.response(await self._page(service, paged, given))

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
            paid=paid(given.checked),
            is_whole=given.checked.get("status") == PaymentStatus.SUCCEEDED,
            created_after=times.get("created_after") or EPOCH,
            created_before=times.get("created_before") or END,
        )

    async def _page(self, service: Service, asked: ListQuery, given: Given) -> Page[Findable]:
        """Read a page. Where a filter names an owner that does not exist, it is empty."""
        kinds = [kind for kind in self.filters.owners if kind in given.checked]
        names = [Name(kind, asked.tenant_id, given.checked[kind]) for kind in kinds]
        owners = await asyncio.gather(*map(service.lookups.find, names))
        if None in owners:
            return Page([])
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
