"""The parameters and headers of operations."""

from typing import Any

from owed.api import forms, idempotency, messages
from owed.api.docs import story
from owed.api.docs.nouns import A_BILL, NOUNS, Noun
from owed.api.fields import TIMESTAMP, Field, Schema
from owed.api.lists import DEFAULT_LIMIT, MOST
from owed.core.state import NAME

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


def header(name: str, description: str, schema: Schema, example: str) -> Schema:
    """Describe a header that a request may have."""
    return {"name": name, "in": "header", "description": description, "schema": schema, "example": example}


def query(name: str, description: str, schema: Schema, example: Any = None, **more: Any) -> Schema:
    """Describe a query parameter."""
    found = {"name": name, "in": "query", "description": description, "schema": schema, **more}
    return found if example is None else {**found, "example": example}


def in_path(noun: Noun, named: str) -> Schema:
    """Describe the path parameter that names an object, of which there is one called `named`."""
    return {
        "name": noun.kind,
        "in": "path",
        "required": True,
        "description": f"The {noun.kind}'s id, or its external reference.",
        "schema": {"type": "string", "pattern": f"^{NAME}$"},
        "examples": {
            "id": {"value": story.standing(noun.kind, named).id},
            "external_reference": {"value": named},
        },
    }


def filters(noun: Noun) -> dict[str, Schema]:
    """Describe the query parameters that only a noun's list has."""
    fields = noun.listing.filters.fields
    return {
        f"{noun.plural}By{name.title().replace('_', '')}": of_filter(noun, name, field)
        for name, field in fields.items()
    }


def of_filter(noun: Noun, name: str, field: Field) -> Schema:
    """Describe the query parameter of a filter of a noun's list."""
    schema = {**field.schema}
    description, (example,) = schema.pop("description"), schema.pop("examples")
    examples = {**NAMED, "external_reference": noun.named, "q": noun.words}
    return query(name, description, schema, examples.get(name, example))


NAMED = {noun.kind: noun.named for noun in NOUNS}
"""The objects of the examples, by kind."""

PARAMETERS: dict[str, Schema] = {
    **{noun.title: in_path(noun, noun.named) for noun in NOUNS},
    "BillToVoid": in_path(A_BILL, story.WRONG_BILL),
    **{name: parameter for noun in NOUNS for name, parameter in filters(noun).items()},
    "IdempotencyKey": header(
        "Idempotency-Key",
        "Makes a retry safe: for 24 hours the same key with the same request gets the first answer again, and nothing "
        "happens twice. Use a fresh UUID for each new request.",
        {"type": "string", "pattern": f"^{idempotency.KEY}$"},
        "5d6b7b8e-9f0a-4b1c-8d2e-3f4a5b6c7d8e",
    ),
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
    "Last-Modified": {"description": "When the object last changed.", "schema": HTTP_DATE},
    "Location": {"description": "Where the new object is.", "schema": {"type": "string", "format": "uri-reference"}},
    "Idempotent-Replayed": {
        "description": "`true` where this is the answer that the idempotency key has kept.",
        "schema": {"const": "true"},
    },
    "Next-Cursor": {"description": "Leads to the next page, of older objects.", "schema": CURSOR},
    "Prev-Cursor": {"description": "Leads to the page before, of newer objects.", "schema": CURSOR},
    "Link": {"description": "The same pages as links (RFC 8288).", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait before another try.", "schema": COUNT},
    "RateLimit-Limit": {"description": "Requests that the key may make at once.", "schema": {"type": "number"}},
    "RateLimit-Remaining": {"description": "Requests that are left of them.", "schema": COUNT},
    "RateLimit-Reset": {"description": "Seconds until all of them are there again.", "schema": COUNT},
    "WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string", "pattern": "^Bearer"}},
}
"""Those of responses."""

RATE_LIMIT = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
"""The headers of every response to a key, where there is a limit."""
