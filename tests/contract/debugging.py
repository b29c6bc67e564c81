"""Endpoints, events, and what a delivery worker has left of them: attempts, and what is still to be delivered."""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from owed.model.identifiers import ATTEMPT, IdSource, milliseconds
from tests.contract.client import Client, Json
from tests.contract.samples import a_customer
from tests.contract.service import Database

ENDPOINTS: Final = "/billing/webhook_endpoints"
EVENTS: Final = "/billing/events"
NOWHERE: Final = "http://127.0.0.1:9/hook"
EVERYTHING: Final = {"events": ["*"]}

_ids = IdSource(Random("attempts"))


def an_endpoint(client: Client, **members: Any) -> Json:
    """Create an endpoint, which must succeed, and return it with its secret."""
    answer = client.post(ENDPOINTS, {"url": NOWHERE} | members)
    assert answer.status == 201, answer.body
    endpoint: Json = answer.json()
    return endpoint


def at(endpoint: Json, *further: str) -> str:
    return "/".join((ENDPOINTS, endpoint["id"], *further))


def disable(client: Client, endpoint: Json) -> None:
    assert client.patch(at(endpoint), {"enabled": False}).status == 200


def delete(client: Client, endpoint: Json) -> None:
    assert client.send("DELETE", at(endpoint)).status == 204


def an_event(client: Client) -> Json:
    """Create a customer, and return what is told of that."""
    return latest_event(client, a_customer(client))


def latest_event(client: Client, thing: Json) -> Json:
    answer = client.get(f"{EVENTS}?object={thing['id']}&limit=1")
    assert answer.status == 200, answer.body
    event: Json = answer.json()["data"][0]
    return event


def body_of(database: Database, event: Json) -> bytes:
    """Return the bytes of an event that are signed."""
    body: bytes = database.value("SELECT body FROM event WHERE id = $1", event["id"])
    assert json.loads(body) == event
    return body


def put(database: Database, table: str, row: Json) -> None:
    """Insert a row."""
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())


def tenant_of(database: Database, endpoint: Json) -> int:
    tenant_id: int = database.value("SELECT tenant_id FROM webhook_endpoint WHERE id = $1", endpoint["id"])
    return tenant_id


def attempted(database: Database, event: Json, endpoint: Json, number: int = 1, **columns: Any) -> Json:
    """Leave an attempt as a worker does; one that failed with 500, unless `columns` say otherwise."""
    now = datetime.now(UTC)
    row = {
        "tenant_id": tenant_of(database, endpoint),
        "id": _ids.new(ATTEMPT, milliseconds(now)),
        "event_id": event["id"],
        "endpoint_id": endpoint["id"],
        "number": number,
        "attempted_at": now,
        "duration_ms": 12,
        "address": "203.0.113.7",
        "status": 500,
        "answer": b"no",
        "succeeded": False,
        "out_of_order": False,
        "next_attempt_at": now + timedelta(seconds=5),
    } | columns
    put(database, "delivery_attempt", row)
    return row


def waiting(database: Database, event: Json, endpoint: Json, **columns: Any) -> Json:
    """Leave a delivery as a worker does; one that is due now, unless `columns` say otherwise."""
    place = database.rows("SELECT object_id, position, sequence FROM event WHERE id = $1", event["id"])[0]
    row = {
        "tenant_id": tenant_of(database, endpoint),
        "endpoint_id": endpoint["id"],
        "event_id": event["id"],
        "lane": place["object_id"],
        "position": place["position"],
        "sequence": place["sequence"],
        "due_at": datetime.now(UTC),
    } | columns
    put(database, "delivery", row)
    return row


def took_up(database: Database, event: Json, endpoint: Json) -> None:
    """Let an endpoint's place in the feed be that of an event, as after a worker has taken it up."""
    database.execute(
        """UPDATE webhook_endpoint AS endpoint
              SET position = event.position, sequence = event.sequence, event_id = event.id
             FROM event WHERE event.id = $1 AND endpoint.id = $2""",
        event["id"],
        endpoint["id"],
    )


def replays(database: Database, endpoint: Json) -> list[Json]:
    """Return the replays that are asked for to an endpoint, oldest first."""
    rows = database.rows("SELECT * FROM replay WHERE endpoint_id = $1 ORDER BY id", endpoint["id"])
    return [dict(row) for row in rows]
