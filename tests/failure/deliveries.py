"""The audit of one endpoint after the worst: every event that there is, against what its receiver got and said."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import asyncpg

from tests.contract.service import Database
from tests.failure.receivers import Arrival, Fate, Receiver

Events = dict[str, asyncpg.Record]

EVENTS = "SELECT id, object_id, sequence, body FROM event WHERE tenant_id = $1 ORDER BY object_id, sequence"
LEFT = "SELECT event_id, attempts, failed_at FROM delivery WHERE tenant_id = $1 AND endpoint_id = $2"
ATTEMPTS = """
    SELECT event_id,
           array_agg(number ORDER BY number) AS numbers,
           array_agg(succeeded ORDER BY number) AS succeeded,
           bool_or(out_of_order) AS is_out_of_order
      FROM delivery_attempt
     WHERE tenant_id = $1 AND endpoint_id = $2
     GROUP BY event_id
"""


def events_of(database: Database, tenant_id: int) -> Events:
    """Give all events of a tenant, in the order of each object."""
    return {row["id"]: row for row in database.rows(EVENTS, tenant_id)}


def faults(database: Database, tenant_id: int, endpoint_id: str, receiver: Receiver) -> Iterator[str]:
    """Yield all that is wrong with what an endpoint of all types got; nothing means that every promise was kept."""
    events = events_of(database, tenant_id)
    yield from (f"{event} was never taken" for event in events.keys() - receiver.taken)
    yield from faults_of_arrivals(events, receiver.arrivals)
    yield from faults_of_order(events, receiver.arrivals)
    yield from faults_of_attempts(database.rows(ATTEMPTS, tenant_id, endpoint_id), events, receiver)
    yield from (f"{row} is left" for row in database.rows(LEFT, tenant_id, endpoint_id))


def faults_of_arrivals(events: Events, arrivals: list[Arrival]) -> Iterator[str]:
    """Whatever arrives is signed, has the id of an event, and is that event byte for byte."""
    for arrival in arrivals:
        if not arrival.is_verified:
            yield f"{arrival} is not signed"
        if arrival.event_id not in events:
            yield f"{arrival} is no event"
        elif arrival.body != events[arrival.event_id]["body"]:
            yield f"{arrival} is not {events[arrival.event_id]['body']!r}"


def faults_of_order(events: Events, arrivals: list[Arrival]) -> Iterator[str]:
    """Nothing arrives for the first time before the receiver has taken what came before it on its object."""
    arrived: dict[str, int] = {}
    taken: dict[str, int] = {}
    for place, arrival in enumerate(arrivals):
        arrived.setdefault(arrival.event_id, place)
        if arrival.fate is Fate.TAKEN:
            taken.setdefault(arrival.event_id, place)
    for before, after in pairwise(events.values()):
        if before["object_id"] != after["object_id"] or after["id"] not in arrived:
            continue
        if arrived[after["id"]] < taken.get(before["id"], len(arrivals)):
            yield f"{after['id']} came before {before['id']} was taken, the one before it on {after['object_id']}"


def faults_of_attempts(attempts: list[asyncpg.Record], events: Events, receiver: Receiver) -> Iterator[str]:
    """The attempts on record are numbered without gaps, none is there twice, and only the last succeeded.

    A worker that is killed records nothing of what it was at, so there may be fewer than requests, and never more
    that succeeded.
    """
    said = Counter(arrival.event_id for arrival in receiver.arrivals if arrival.fate is Fate.TAKEN)
    yield from (f"no attempt to deliver {event} is on record" for event in events.keys() - {row[0] for row in attempts})
    for row in attempts:
        count = len(row["numbers"])
        if row["numbers"] != [*range(1, count + 1)] or row["succeeded"] != [*[False] * (count - 1), True]:
            yield f"the attempts on record are {row}"
        if row["is_out_of_order"]:
            yield f"{row['event_id']} was set aside"
        if not said[row["event_id"]]:
            yield f"{row['event_id']} is on record as taken, and never was"
