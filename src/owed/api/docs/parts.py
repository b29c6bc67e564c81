"""The parameters and headers of operations."""

from collections.abc import Mapping
from typing import Any

from owed.api import audit, forms, idempotency, messages, periods, reports, statements, unallocated
from owed.api.adjustments import WAYS, Adjusting
from owed.api.docs import story, webhook_story
from owed.api.docs.nouns import A_BILL, NOUNS, Noun, identifier
from owed.api.entries import FIELDS
from owed.api.events import FILTERS, ORDER, TIMES
from owed.api.fields import TIMESTAMP, Field, Schema
from owed.api.filters import IN_CURRENCY
from owed.api.lists import DEFAULT_LIMIT, MOST, Listing
from owed.api.payments import LIST
from owed.api.reallocations import ALLOCATIONS, MOVES
from owed.api.taken_back import REFUNDS, REVERSALS
from owed.core.state import NAME
from owed.model import identifiers
from owed.model.customer import Customer
from owed.model.identifiers import pattern
from owed.model.payment import Payment
from owed.model.reallocation import Allocation, Move
from owed.model.taken_back import Refund, Reversal

WORDS: Schema = {"type": "string", "maxLength": 255}
REQUEST_ID: Schema = {"type": "string", "pattern": f"^{messages.REQUEST_ID}$"}
TAG: Schema = {"type": "string", "pattern": '^"[0-9]+"$'}
TAGS: Schema = {"type": "string"}
TIME: Schema = {"type": "string", "format": "date-time", "pattern": f"^{TIMESTAMP}$"}
CURSOR: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}
COUNT: Schema = {"type": "integer", "minimum": 0}
HTTP_DATE: Schema = {"type": "string"}
LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT}
METADATA: Schema = {name: value for name, value in forms.METADATA.schema.items() if name != "description"}

SIGNED = {
    "webhook-id": f"^{pattern(identifiers.EVENT).pattern}$",
    "webhook-timestamp": "^[0-9]+$",
    "webhook-signature": "^v1,[A-Za-z0-9+/]{43}=( v1,[A-Za-z0-9+/]{43}=)*$",
}
"""The headers of a signature."""


def header(name: str, description: str, schema: Schema, example: str) -> Schema:
    """Describe a header that a request may have."""
    return {"name": name, "in": "header", "description": description, "schema": schema, "example": example}


def sent_header(name: str, description: str) -> Schema:
    """Describe a header of a signature, as the receiver of the examples got it."""
    schema = {"type": "string", "pattern": SIGNED[name]}
    return {**header(name, description, schema, webhook_story.received()["headers"][name]), "required": True}


def query(name: str, description: str, schema: Schema, example: Any = None, **more: Any) -> Schema:
    """Describe a query parameter."""
    found = {"name": name, "in": "query", "description": description, "schema": schema, **more}
    return found if example is None else {**found, "example": example}


def in_path(kind: str, named: str) -> Schema:
    """Describe the path parameter that names an object, of which there is one called `named`."""
    return {
        "name": kind,
        "in": "path",
        "required": True,
        "description": f"The {kind}'s id, or its external reference.",
        "schema": {"type": "string", "pattern": f"^{NAME}$"},
        "examples": {
            "id": {"value": story.standing(kind, named).id},
            "external_reference": {"value": named},
        },
    }


def by_id(kind: str, prefix: str, found: str) -> Schema:
    """Describe the path parameter that names something that has an id alone, such as `found`."""
    schema = identifier(prefix, f"The {kind}'s id.")
    description = schema.pop("description")
    example = {"id": {"value": found}}
    return {
        "name": kind, "in": "path", "required": True, "description": description, "schema": schema, "examples": example,
    }  # fmt: skip


def filters(noun: Noun) -> dict[str, Schema]:
    """Describe the query parameters that only a noun's list has."""
    return of_list(noun.plural, noun.listing, {**NAMED, "external_reference": noun.named, "q": noun.words})


def of_list(plural: str, listing: Listing, examples: Mapping[str, str]) -> dict[str, Schema]:
    """Describe the query parameters that only one list has.

    Args:
        examples: Values of some; the others have their own.
    """
    return {
        f"{plural}By{camel(name)}": of_field(name, field, examples.get(name))
        for name, field in listing.filters.fields.items()
    }


def camel(name: str) -> str:
    """Write a name as those of components are written."""
    return name.title().replace("_", "")


def of_field(name: str, field: Field, example: str | None = None) -> Schema:
    """Describe the query parameter that a field checks."""
    schema = {**field.schema}
    description, (usual,) = schema.pop("description"), schema.pop("examples")
    return query(name, description, schema, example or usual)


NAMED = {noun.kind: noun.named for noun in NOUNS}
"""The objects of the examples, by kind."""

PAYMENT_FILTERS = of_list("Payments", LIST, {**NAMED, "external_reference": story.TWO_BILLS})

UNALLOCATED_FILTERS = of_list(
    "Unallocated", unallocated.LIST, {"customer": story.KABELO, "external_reference": story.UNALLOCATED}
)

OF_PAYMENTS: dict[str, Schema] = {
    "Payment": in_path(Payment.kind, story.TWO_BILLS),
    "RefundedPayment": in_path(Payment.kind, story.REFUNDED),
    "ReversedPayment": in_path(Payment.kind, story.REVERSED),
    "UnallocatedPayment": in_path(Payment.kind, story.UNALLOCATED),
    "DepositedPayment": in_path(Payment.kind, story.DEPOSITED),
    "Allocation": in_path(Allocation.kind, story.ALLOCATION),
    "Move": in_path(Move.kind, story.MOVE),
    "PayingCustomer": in_path("customer", story.KABELO),
    "CardPayment": in_path(Payment.kind, story.CARD),
    "Refund": in_path(Refund.kind, story.REFUND),
    "Reversal": in_path(Reversal.kind, story.REVERSAL),
    "Channel": query(
        "channel",
        "Where several channels have the reference: the one that is meant. Empty: that of the payments without one. "
        "Unless it is given, the newest is meant.",
        {"type": "string", "pattern": "^[a-z0-9_]{0,40}$"},
    ),
    **PAYMENT_FILTERS,
    **of_list("Refunds", REFUNDS.list, {"external_reference": story.REFUND}),
    **of_list("Reversals", REVERSALS.list, {"external_reference": story.REVERSAL}),
    **of_list("Allocations", ALLOCATIONS.list, {"external_reference": story.ALLOCATION}),
    **of_list("Moves", MOVES.list, {"external_reference": story.MOVE}),
    **UNALLOCATED_FILTERS,
}
"""Those of payments, and of what takes them back."""


def of_adjustments(way: Adjusting) -> dict[str, Schema]:
    """Describe the parameters that only the charges, or the credits, on one kind of object have."""
    title, named = f"{way.object_kind.title()}{way.kind.title()}", story.ADJUSTED[way.kind, way.object_kind]
    return {title: in_path(way.kind, named), **of_list(f"{title}s", way.list, {"external_reference": named})}


OF_ADJUSTMENTS: dict[str, Schema] = {
    "AdjustedCustomer": in_path("customer", story.AMINA),
    "AdjustedAccount": in_path("account", story.PREPAID),
    "AdjustedBill": in_path("bill", story.HER_BILL),
    **{name: parameter for way in WAYS for name, parameter in of_adjustments(way).items()},
}
"""Those of charges and credits."""

OF_THE_LEDGER: dict[str, Schema] = {
    "PaidAccount": in_path("account", story.HER_WATER),
    **{f"EntriesBy{camel(name)}": of_field(name, field) for name, field in FIELDS.items()},
    "RecordedAfter": query("recorded_after", "Recorded after this time, in UTC.", TIME, "2026-01-31T00:00:00Z"),
    "RecordedBefore": query("recorded_before", "Recorded before this time, in UTC.", TIME, "2099-01-01T00:00:00Z"),
    "OccurredAfter": query("occurred_after", "Happened after this time, in UTC.", TIME, "2025-12-31T23:59:59Z"),
    "OccurredBefore": query("occurred_before", "Happened before this time, in UTC.", TIME, "2099-01-01T00:00:00Z"),
    "AsOf": query("as_of", "As recorded at this time, in UTC, which is not in the future.", TIME),
    "BalanceCurrency": of_field("currency", IN_CURRENCY),
}
"""Those of the ledger."""

OF_REPORTS: dict[str, Schema] = {
    "From": of_field("from", periods.FROM),
    "To": of_field("to", periods.TO),
    "Basis": of_field("basis", statements.BASIS),
    "TotalsOf": of_field("date", reports.DATE),
    "AgeingAsOf": of_field("as_of", reports.AS_OF),
}
"""Those of statements, reports and exports."""

EVENT_FILTERS = {
    f"Events{camel(name)}": of_field(name, field, {"object": story.standing(A_BILL.kind, story.HIS_BILL).id}.get(name))
    for name, field in {**FILTERS, **TIMES, **ORDER}.items()
}

AUDIT_FILTERS = {
    f"Audit{camel(name)}": of_field(name, field) for name, field in {**audit.FIELDS, **audit.TIMES}.items()
}

OF_WEBHOOKS: dict[str, Schema] = {
    "Event": by_id("event", identifiers.EVENT, webhook_story.event(webhook_story.PAID).id),
    **EVENT_FILTERS,
    "After": query(
        "after",
        "In the feed: the `Next-Cursor` of the page before, with the same filters. Without it, the feed begins.",
        {"type": "string"},
    ),
    "Endpoint": by_id("endpoint", identifiers.ENDPOINT, webhook_story.endpoint().id),
    "Secret": by_id("secret", identifiers.SECRET, webhook_story.endpoint().secret.id),
    "WebhookId": sent_header("webhook-id", "The event's id, the same at each attempt."),
    "WebhookTimestamp": sent_header("webhook-timestamp", "When this attempt was signed, in seconds since 1970."),
    "WebhookSignature": sent_header(
        "webhook-signature",
        "The HMAC-SHA256 of `id.timestamp.body` in base64, after `v1,`; one for each secret that is valid, with a "
        "space between two.",
    ),
}
"""Those of events, of webhook endpoints, and of what is sent to them."""

IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    "Makes a retry safe: for 24 hours the same key with the same request gets the first answer again, and nothing "
    "happens twice. Use a fresh UUID for each new request.",
    {"type": "string", "pattern": f"^{idempotency.KEY}$"},
    "5d6b7b8e-9f0a-4b1c-8d2e-3f4a5b6c7d8e",
)

PARAMETERS: dict[str, Schema] = {
    **{noun.title: in_path(noun.kind, noun.named) for noun in NOUNS},
    "CustomerToErase": in_path(Customer.kind, story.THANDI),
    "BillToVoid": in_path(A_BILL.kind, story.WRONG_BILL),
    **{name: parameter for noun in NOUNS for name, parameter in filters(noun).items()},
    **OF_PAYMENTS,
    **OF_ADJUSTMENTS,
    **OF_THE_LEDGER,
    **OF_REPORTS,
    **OF_WEBHOOKS,
    **AUDIT_FILTERS,
    "IdempotencyKey": IDEMPOTENCY_KEY,
    "RequiredIdempotencyKey": {**IDEMPOTENCY_KEY, "required": True},
    "IfMatch": header("If-Match", "Only change the version with this ETag; 412 where another stands.", TAGS, '"1"'),
    "IfNoneMatch": header(
        "If-None-Match", "The ETag of the version that you have; 304 where it still stands.", TAGS, '"1"'
    ),
    "RequestId": header(
        "Request-Id",
        "A name of your own for this request, kept in the response and in the log. Anything else than 1 to 64 "
        "characters of `A-Z a-z 0-9 _ . -` is replaced.",
        {"type": "string"},
        "checkout-7f3a",
    ),
    "OwedActor": header(
        "Owed-Actor", "Who acts through the key, in printable characters; not interpreted.", WORDS, "thandi@acme"
    ),
    "OwedReason": header("Owed-Reason", "Why, in printable characters; not interpreted.", WORDS, "meter read again"),
    "Limit": query("limit", "How many objects a page may have.", LIMIT, 20),
    "Cursor": query(
        "cursor", "A `Next-Cursor` or `Prev-Cursor` that this list gave, with the same filters.", {"type": "string"}
    ),
    "CreatedAfter": query("created_after", "Created after this time, in UTC.", TIME, "2026-01-31T09:30:00Z"),
    "CreatedBefore": query("created_before", "Created before this time, in UTC.", TIME, "2026-02-28T23:59:59Z"),
    "MetadataFilter": query(
        "metadata",
        "Metadata that must be there, as `metadata[key]=value`; may be repeated.",
        METADATA,
        {"customer_type": "premium"},
        style="deepObject",
        explode=True,
    ),
}

HEADERS: dict[str, Schema] = {
    "Request-Id": {"description": "The request's name, yours or ours.", "schema": REQUEST_ID},
    "ETag": {"description": "The object's version, for `If-Match` and `If-None-Match`.", "schema": TAG},
    "Last-Modified": {
        "description": "When the object last changed; an event, when it was recorded.",
        "schema": HTTP_DATE,
    },
    "Location": {"description": "Where the new object is.", "schema": {"type": "string", "format": "uri-reference"}},
    "Owed-Balance-Reapplied": {
        "description": "Where the request gave `balance_as_of`: how many entries were applied on top of the balance.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "Idempotent-Replayed": {
        "description": "`true` where this is the answer that the idempotency key has kept.",
        "schema": {"const": "true"},
    },
    "Next-Cursor": {
        "description": "Leads to the next page, of older objects; in the feed, which always has it, of newer ones.",
        "schema": CURSOR,
    },
    "Prev-Cursor": {"description": "Leads to the page before, of newer objects.", "schema": CURSOR},
    "Link": {"description": "The same pages as links (RFC 8288).", "schema": {"type": "string"}},
    "Vary": {"description": "`Accept`: what it is written as depends on that.", "schema": {"const": "Accept"}},
    "Content-Disposition": {"description": "A name for the file, of CSV.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait before another try.", "schema": COUNT},
    "RateLimit-Limit": {"description": "Requests that the key may make at once.", "schema": {"type": "number"}},
    "RateLimit-Remaining": {"description": "Requests that are left of them.", "schema": COUNT},
    "RateLimit-Reset": {"description": "Seconds until all of them are there again.", "schema": COUNT},
    "WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string", "pattern": "^Bearer"}},
}
"""Those of responses."""

RATE_LIMIT = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
"""The headers of every response to a key, where there is a limit."""
