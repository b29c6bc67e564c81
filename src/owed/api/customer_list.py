"""The list of customers over HTTP: its parameters, and the pages that it gives (contract, 1.6)."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET

from owed.api import query
from owed.api.customer_fields import MEMBERS, METADATA
from owed.api.fields import Faults, Field, Pattern, Text
from owed.api.messages import JSON, Request, Response
from owed.api.pagination import page_headers
from owed.api.service import Service
from owed.model import search
from owed.model.identifiers import EPOCH
from owed.store.lists import END, Cursor, CustomerQuery

DEFAULT_LIMIT = 20
MOST = 100
LIMIT = re.compile("[0-9]{1,3}").fullmatch
METADATA_FILTER = re.compile(r"metadata\[(.*)\]", re.DOTALL).fullmatch

REFERENCE = Pattern("[a-zA-Z0-9_-]+", 255, "an external reference", "A whole external reference.", "UCR1234567890")
SEARCHED = Text(255, "Words that must all occur, whole, in any case, in name, e-mail, phone or reference.", "john doe")

FILTERS: dict[str, Field] = {
    "external_reference": REFERENCE,
    "email": MEMBERS["email"],
    "phone": MEMBERS["phone"],
    "currency": MEMBERS["currency"],
    "q": SEARCHED,
}
"""The filters of one value; there are also created_after, created_before, and metadata[key]."""

TIMES = ("created_after", "created_before")
PAGING = ("limit", "cursor")


async def list_customers(service: Service, request: Request) -> Response:
    """GET /billing/customers: list customers, newest first, and lead to the pages on either side."""
    faults = Faults()
    given = query.parameters(request, faults)
    scope = f"{request.key.tenant_id} {request.path} {sorted(pair for pair in given if pair[0] not in PAGING)}"
    asked = customer_query(service, request, given, scope, faults)
    query.refuse_faulty(faults)
    page = await service.lists.customers(asked)
    at = asked.cursor.id if asked.cursor else ""
    first, last = (page.customers[0].id, page.customers[-1].id) if page.customers else (at, at)
    newer = service.cursors.sign(Cursor(newer=True, id=first), scope) if page.has_newer else None
    older = service.cursors.sign(Cursor(newer=False, id=last), scope) if page.has_older else None
    filters = [pair for pair in given if pair[0] != "cursor"]
    headers = page_headers(request.path, filters, next_cursor=older, prev_cursor=newer)
    body = msgspec.json.encode({"data": [customer.shown() for customer in page.customers]})
    return Response(200, body, {"content-type": JSON, **headers})


def customer_query(
    service: Service, request: Request, given: list[tuple[str, str]], scope: str, faults: Faults
) -> CustomerQuery:
    """Read what a list of customers is asked for, noting every fault."""
    metadata = [(match[1], value) for name, value in given if (match := METADATA_FILTER(name))]
    once = query.single(given, {name for name, _ in given if METADATA_FILTER(name)}, faults)
    for name in once:
        if name not in (*FILTERS, *TIMES, *PAGING):
            faults.note(query.place(name), f"There is no such parameter; there are {', '.join(known_parameters())}.")
    checked = {name: FILTERS[name].check(once[name], query.place(name), faults) for name in FILTERS if name in once}
    times = {name: query.timestamp(once[name], name, faults) for name in TIMES if name in once}
    return CustomerQuery(
        tenant_id=request.key.tenant_id,
        limit=limit(once.get("limit"), faults),
        cursor=cursor(service, once.get("cursor"), scope, faults),
        external_reference=checked.get("external_reference") or None,
        terms=frozenset([*value_terms(checked), *word_terms(checked, faults), *metadata_terms(metadata, faults)]),
        created_after=times.get("created_after") or EPOCH,
        created_before=times.get("created_before") or END,
    )


def known_parameters() -> list[str]:
    """List the parameters of a list of customers."""
    return [*FILTERS, *TIMES, "metadata[key]", *PAGING]


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


def value_terms(checked: dict[str, Any]) -> Iterator[str]:
    """Yield the terms of the filters on a whole value."""
    makers = {"email": search.email_term, "phone": search.phone_term, "currency": search.currency_term}
    return (make(checked[name]) for name, make in makers.items() if checked.get(name, UNSET) is not UNSET)


def word_terms(checked: dict[str, Any], faults: Faults) -> Iterator[str]:
    """Yield the term of each word that is searched for."""
    searched = checked.get("q", UNSET)
    if searched is UNSET:
        return
    words = search.words(searched)
    if not words:
        faults.note(query.place("q"), "This must hold at least one word: letters or digits.")
    yield from map(search.word_term, words)


def metadata_terms(pairs: list[tuple[str, str]], faults: Faults) -> Iterator[str]:
    """Yield the term of each metadata filter."""
    for key, value in pairs:
        METADATA.check_entry(key, value, query.place(f"metadata[{key}]"), faults)
        yield search.metadata_term(key, value)
