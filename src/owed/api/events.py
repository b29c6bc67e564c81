"""Events over HTTP: the list of them, the feed, and each by itself (contract, section 7)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import UNSET

from owed.api import query
from owed.api.conditions import last_modified
from owed.api.fields import Choice, Faults, Field, Moment, Pattern
from owed.api.filters import PAGING
from owed.api.lists import Paging, limit
from owed.api.messages import JSON, Request, Response
from owed.api.problems import Refusal
from owed.api.service import Service
from owed.core.replays import no_event
from owed.model.event import Event
from owed.model.webhook_endpoint import EVENT_TYPES
from owed.store.events import EventQuery
from owed.store.feed import START, FeedQuery, Place
from owed.store.list_queries import Cursor

FILTERS: Mapping[str, Field] = {
    "type": Choice(EVENT_TYPES, "Only those of this type.", "obligation.amount_applied"),
    "object": Pattern(
        r"(bcus|bacc|bill)_[a-zA-Z0-9]+",
        255,
        "the id of a customer, an account or a bill",
        "Only those of what happened to one customer, account or bill: its id.",
        "bill_0Nn4c3kXq1J8eY2bT5vR7s",
    ),
}

TIMES: Mapping[str, Field] = {
    "created_after": Moment("Recorded after this time.", "2026-01-31T00:00:00Z", is_bound=True),
    "created_before": Moment("Recorded before this time.", "2026-03-01T00:00:00Z", is_bound=True),
}

ORDER: Mapping[str, Field] = {
    "order": Choice(("asc", "desc"), "`asc` reads the feed: every event, in the order of commits.", "asc"),
}

AFTER = "after"
PARAMETERS = (*FILTERS, *TIMES, *ORDER, *PAGING, AFTER)

NOT_OF_THE_FEED = {
    "cursor": "The feed has no `cursor`: it goes on `after` the `Next-Cursor` of the page before.",
    "created_after": "The feed has no bounds of time: it is read from its beginning, or `after` a cursor.",
    "created_before": "The feed has no bounds of time: it is read from its beginning, or `after` a cursor.",
}
OF_THE_FEED_ALONE = {AFTER: "This goes with `order=asc`; a list that is newest first goes on by `cursor`."}


async def list_events(service: Service, request: Request) -> Response:
    """GET /billing/events: list events, newest first, or read on in the feed, oldest first."""
    faults = Faults()
    pairs = query.parameters(request, faults)
    given = query.known_of(pairs, PARAMETERS, faults)
    checked = checked_of(given, {**FILTERS, **TIMES, **ORDER}, faults)
    is_feed = checked.pop("order", "desc") == "asc"
    note_misplaced(given, NOT_OF_THE_FEED if is_feed else OF_THE_FEED_ALONE, faults)
    filters = {"object_id" if name == "object" else name: value for name, value in checked.items()}
    if is_feed:
        return await read_feed(service, request, pairs, filters, faults)
    paging = Paging.of(service, request, pairs, faults)
    query.refuse_faulty(faults)
    asked = EventQuery(request.key.tenant_id, paging.limit, paging.cursor, **filters)
    return paging.response(await service.events.page(asked))


async def read_feed(
    service: Service, request: Request, pairs: list[tuple[str, str]], filters: dict[str, Any], faults: Faults
) -> Response:
    """Answer with what follows a cursor in the feed, and with the cursor that goes on from there."""
    given = dict(pairs)
    kept = [pair for pair in pairs if pair[0] != AFTER]
    scope = f"{request.key.tenant_id} {request.path} {sorted(pair for pair in kept if pair[0] not in PAGING)}"
    after = place_of(service, given.get(AFTER), scope, faults)
    most = limit(given.get("limit"), faults)
    query.refuse_faulty(faults)
    page = await service.feed.page(FeedQuery(request.key.tenant_id, most, after, **filters))
    cursor = service.cursors.sign(Cursor(newer=True, id=" ".join(map(str, page.place))), scope)
    link = f'<{request.path}?{urlencode([*kept, (AFTER, cursor)])}>; rel="next"'
    body = msgspec.json.encode({"data": [msgspec.Raw(each) for each in page.bodies]})
    return Response(200, body, {"content-type": JSON, "next-cursor": cursor, "link": link})


async def retrieve_event(service: Service, request: Request) -> Response:
    """GET /billing/events/{event}: retrieve the bytes of an event that are signed and sent."""
    event = await find_event(service, request)
    query.refuse_any(request)
    return Response(200, event.body, {"content-type": JSON, "last-modified": last_modified(event.recorded_at)})


async def find_event(service: Service, request: Request) -> Event:
    """Find the event of a path by its id.

    Raises:
        Refusal: There is none.
    """
    (name,) = request.arguments
    event = await service.events.find(request.key.tenant_id, name)
    if event is None:
        raise Refusal(no_event(name))
    return event


def checked_of(given: dict[str, str], fields: Mapping[str, Field], faults: Faults) -> dict[str, Any]:
    """Give the parameters as far as they are right, and note what is wrong with the others."""
    values = {
        name: field.check(given[name], query.place(name), faults) for name, field in fields.items() if name in given
    }
    return {name: value for name, value in values.items() if value is not UNSET}


def note_misplaced(given: dict[str, str], misplaced: Mapping[str, str], faults: Faults) -> None:
    """Note the parameters that this order does not have."""
    for name, detail in misplaced.items():
        if name in given:
            faults.note(query.place(name), detail)


def place_of(service: Service, given: str | None, scope: str, faults: Faults) -> Place:
    """Read the place in the feed that a cursor stands for; without one, the beginning."""
    if given is None:
        return START
    found = service.cursors.read(given, scope)
    if found is None:
        detail = "This must be a `Next-Cursor` that the feed gave, with the same filters; leave it out to begin anew."
        faults.note(query.place(AFTER), detail)
        return START
    position, sequence, event_id = found.id.split(" ")
    return Place(int(position), int(sequence), event_id)
