"""The story of the demo merchant's receiver: where it is, what it is sent, and what it answers."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import NamedTuple, cast

import msgspec

from owed.api import webhook_tests
from owed.api.books import Books, Json, Whose
from owed.api.composites import Object
from owed.api.docs import story
from owed.api.docs.nouns import NOUNS
from owed.api.docs.story import MORNING
from owed.api.fields import Faults
from owed.api.webhook_endpoints import CREATE, UPDATE, members_of
from owed.core.command import Command
from owed.core.replays import Redeliver, ReplayEvents
from owed.core.update import Update
from owed.core.webhook_endpoints import CreateEndpoint, EndpointMembers, RotateSecret
from owed.model.delivery import Attempt
from owed.model.event import Event
from owed.model.identifiers import ATTEMPT, IdSource, milliseconds
from owed.model.webhook_endpoint import Secret, WebhookEndpoint
from owed.store.attempts import Attempted, Pending
from owed.store.endpoint_reads import EndpointStatus
from owed.webhooks.signing import signed_headers
from owed.webhooks.verification import Holder, Received, verify

PAID = "obligation.amount_applied"
TAKEN_BACK = "obligation.amount_reversed"

NEW_ENDPOINT: Json = {
    "url": "https://acme.example/hooks/owed",
    "events": [PAID, TAKEN_BACK],
    "description": "the accounting system",
}
CHANGES: Json = {"events": [PAID, TAKEN_BACK, "bill.paid"]}
DISABLED: Json = {"enabled": False}
MERGE_PATCH: Json = {"description": None}
ROTATION: Json = {"expires_in": 3600}
SINCE = MORNING.replace(hour=0, minute=0)
COUNTED_FIRST: Json = {"since": f"{SINCE:%Y-%m-%dT%H:%M:%SZ}", "dry_run": True}
ONLY_FAILED: Json = {"since": f"{SINCE:%Y-%m-%dT%H:%M:%SZ}", "only_failed": True}
TEST: Json = {"type": PAID}

AT_ONCE, LATER = (MORNING + timedelta(milliseconds=each) for each in (212, 5618))
"""When the receiver was told, and told again."""

ADDRESS = "203.0.113.7"


class CommandAsked(NamedTuple):
    """A request, as the command that it is."""

    make: Callable[..., Command]
    given: Json

    def command(self, whose: Whose) -> Command:
        """Make the command of whoever asks."""
        return self.make(tenant_id=whose.tenant_id, actor=whose.actor, **self.given)


def members(form: Object, given: Json) -> EndpointMembers:
    """Read the members of an endpoint that a request gives."""
    return members_of(form.check_members(given, "", Faults()), form, frozenset())


@cache
def books() -> Books:
    """Give the books once the merchant has an endpoint, and has changed one object of each kind."""
    found = story.opened()
    for noun in NOUNS:
        found.enter(noun.asked(noun.changes, noun.named))
    found.enter(CommandAsked(CreateEndpoint, {"members": members(CREATE, NEW_ENDPOINT)}))
    return found


def endpoint() -> WebhookEndpoint:
    """Give the endpoint."""
    (found,) = books().state.webhook_endpoints.created()
    return found


def changed() -> Json:
    """Give the endpoint as it would be with the changes of the example."""
    asked = CommandAsked(Update, {"name": endpoint().id, "members": members(UPDATE, CHANGES)})
    return story.shown(books().outcome(asked))


@cache
def rotated() -> WebhookEndpoint:
    """Give the endpoint as it would be with a new secret."""
    asked = CommandAsked(RotateSecret, {"endpoint": endpoint().id, **ROTATION})
    return cast("WebhookEndpoint", books().outcome(asked))


def with_secret(found: WebhookEndpoint) -> Json:
    """Give an endpoint as an answer has it that shows its newest secret."""
    return {**story.shown(found), "secret": found.secret.value}


def shown(secret: Secret) -> Json:
    """Give a secret as a list has it."""
    return story.as_answered(secret.shown())


def status() -> Json:
    """Tell how delivery to the endpoint comes along."""
    found = EndpointStatus(
        enabled=True, pending=1, failed=0, next_attempt_at=LATER, last_success_at=MORNING, last_failure_at=AT_ONCE
    )
    return story.as_answered(found)


def event(event_type: str) -> Event:
    """Give the first event of a type."""
    return next(each for each in books().state.events if each.type == event_type)


def envelope(found: Event) -> Json:
    """Give an event as it is shown and sent."""
    answer: Json = msgspec.json.decode(found.body)
    return answer


def latest_events() -> list[Json]:
    """Give some events, newest first."""
    return [envelope(each) for each in story.books().state.events[:-4:-1]]


def attempts() -> list[Json]:
    """Give the attempts to deliver an event, newest first: the receiver had to be asked twice."""
    return [attempted(2, LATER, 200, b"ok"), attempted(1, AT_ONCE, 503, b"down for maintenance", LATER)]


def attempted(number: int, at: datetime, status: int, answer: bytes, again_at: datetime | None = None) -> Json:
    """Give an attempt as an answer has it."""
    found = Attempted(
        id=IdSource(Random(f"attempt {number}")).new(ATTEMPT, milliseconds(at)),
        endpoint_id=endpoint().id,
        number=number,
        attempted_at=at,
        duration_ms=38,
        address=ADDRESS,
        status=status,
        answer=answer,
        error=None,
        succeeded=again_at is None,
        out_of_order=False,
        next_attempt_at=again_at,
    )
    return story.as_answered(found.shown())


def pending() -> Json:
    """Give what is still to be delivered of an event that was refused once."""
    found = Pending(endpoint().id, 1, LATER, out_of_order=False, failed=False)
    return story.as_answered(found.shown())


def tested(attempt: Attempt) -> Json:
    """Give the answer to a test of the endpoint."""
    sample = {"endpoint_id": endpoint().id, "event_id": event(PAID).id}
    return story.as_answered({**sample, **webhook_tests.shown(attempt)})


def tests() -> list[Json]:
    """Give the answers to a test that went well, and to one that did not."""
    well = Attempt(MORNING, 38, ADDRESS, 200, b"ok")
    return [tested(well), tested(Attempt(MORNING, 2, error="name does not resolve"))]


def one_endpoint() -> Json:
    """Give a request that names the endpoint."""
    return {"endpoint": endpoint().id}


def redelivery() -> Json:
    """Give the answer to a request to send an event again."""
    again = event(PAID)
    asked = {"event_id": again.id, "event_type": again.type, **one_endpoint()}
    return story.shown(books().outcome(CommandAsked(Redeliver, asked)))


@cache
def replay() -> Json:
    """Give the answer to a request to send the events of a time again."""
    asked = {"endpoint": endpoint().id, "since": SINCE, "until": MORNING, "types": endpoint().types}
    found = story.shown(books().outcome(CommandAsked(ReplayEvents, asked)))
    return {**found, "count": sum(each.type in endpoint().types for each in books().state.events)}


def dry_run() -> Json:
    """Give the answer to a request that only counts them."""
    return {name: value for name, value in replay().items() if name != "id"}


def received() -> Json:
    """Give what the receiver got, and the secret that it knows."""
    sent, secret = event(PAID), endpoint().secret
    headers = signed_headers(sent.id, MORNING, sent.body, (secret.value,))
    return {"headers": headers, "body": sent.body.decode(), "secret": secret.id}


def reserialised() -> Json:
    """Give the same, from a receiver that has parsed the body and written it anew."""
    found = received()
    return {**found, "body": json.dumps(json.loads(found["body"]))}


def received_by_two() -> tuple[Json, Json]:
    """Give what came as it was sent, and what did not."""
    return received(), reserialised()


def verified(got: Json) -> Json:
    """Give the answer to a request to verify what the receiver got."""
    holder, sent = Holder(endpoint().id, endpoint().secret), event(PAID).body
    found = verify(Received(got["headers"], got["body"].encode()), holder, [], sent, LATER)
    return story.as_answered(found.shown())
