"""What the documentation tells of one operation, and what many of them have in common."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from owed.api.books import Json
from owed.api.messages import JSON
from owed.core.outcomes import Code

ALWAYS = (
    Code.INVALID_REQUEST,
    Code.UNAUTHORIZED,
    Code.INVALID_API_KEY,
    Code.FORBIDDEN,
    Code.RATE_LIMITED,
    Code.INTERNAL_ERROR,
    Code.UNAVAILABLE,
)
"""What any operation with a key may be refused for."""

WRITING = (
    *ALWAYS,
    Code.PAYLOAD_TOO_LARGE,
    Code.UNSUPPORTED_MEDIA_TYPE,
    Code.IDEMPOTENCY_KEY_IN_USE,
    Code.IDEMPOTENCY_KEY_REUSED,
)
"""What any operation that changes something may be refused for."""

CREATING = (*WRITING, Code.CONFLICT)
CHANGING = (*WRITING, Code.NOT_FOUND, Code.CONFLICT, Code.PRECONDITION_FAILED)


class Success(NamedTuple):
    """An answer that is no problem.

    Attributes:
        schema: The name of its schema; none where there is no body.
        headers: Those that it always has, and those that it may have.
        example: What it may look like.
        kind: What was made, as the parameters of paths call it; where it is not the schema's name in lower case.
        within: The path under which it is found, where there are several like it.
        is_csv_too: Whether it comes as CSV where `Accept` asks for that.
    """

    description: str
    schema: str = ""
    headers: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    media_type: str = JSON
    example: Json | None = None
    kind: str = ""
    within: str = ""
    is_csv_too: bool = False


class Operation(NamedTuple):
    """What may be done on a path with a method.

    Attributes:
        parameters: Names of components.
        bodies: The name of the schema of each media type that it takes.
        needs_body: Whether a request must have one of them.
    """

    id: str
    summary: str
    description: str
    tag: str
    answers: dict[int, Success]
    problems: tuple[Code, ...]
    parameters: tuple[str, ...] = ()
    bodies: Mapping[str, str] = MappingProxyType({})
    needs_body: bool = True
    is_public: bool = False

    @property
    def is_idempotent(self) -> bool:
        """Tell whether it takes an idempotency key."""
        return not {"IdempotencyKey", "RequiredIdempotencyKey"}.isdisjoint(self.parameters)


Operations = dict[tuple[str, str], Operation]
"""By path and method."""

READER = ("RequestId",)
ACTOR = ("OwedActor", "OwedReason", "RequestId")
WRITER = ("IdempotencyKey", *ACTOR)
MONEY_MOVER = ("RequiredIdempotencyKey", *ACTOR)
VERSION = ("ETag", "Last-Modified")
REPLAYED = ("Idempotent-Replayed",)
PAGING = ("Next-Cursor", "Prev-Cursor", "Link")
EVERY_LIST = ("CreatedAfter", "CreatedBefore", "MetadataFilter", "Limit", "Cursor")

UNMODIFIED = Success("The version that `If-None-Match` names still stands.", headers=VERSION)

NULLS = "In `application/json` a member that is null counts as not given."
