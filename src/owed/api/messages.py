"""Requests and responses, as thin as they can be: at this rate a microsecond in every request shows."""

import itertools
import re
import secrets
from collections.abc import AsyncGenerator, Callable
from typing import Self

import msgspec

from owed.model.access import ApiKey

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
CSV = "text/csv"
PROBLEM_JSON = "application/problem+json"

REQUEST_ID = "[A-Za-z0-9_.-]{1,64}"
is_request_id = re.compile(REQUEST_ID, re.ASCII).fullmatch

HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?", re.ASCII).fullmatch

_PROCESS = secrets.token_hex(8)
_COUNT = itertools.count(1)


def new_request_id() -> str:
    """Make a request id that no other process makes; counting costs a tenth of what chance does."""
    return f"{_PROCESS}{next(_COUNT):08x}"


NO_LIMIT: dict[str, str] = {}


class Request:
    """A request, as handlers see it."""

    __slots__ = (
        "arguments", "body", "headers", "id", "is_for_its_client_alone", "is_too_large", "keeps_alive", "key",
        "media_type", "method", "path", "public_url", "query", "rate_limit", "route", "takes_chunks",
    )  # fmt: skip

    key: ApiKey
    """Whose request it is; set once it is authenticated."""

    is_for_its_client_alone: bool
    """Whether nothing comes of it but its answer, which takes long: then it ends with its connection."""

    takes_chunks: bool
    """Whether its client knows the chunked coding, as all but those of HTTP/1.0 do."""

    def __init__(
        self, method: str, url: bytes, headers: list[tuple[bytes, bytes]], public_url: str | None = None
    ) -> None:
        path, _, self.query = url.partition(b"?")
        self.method = method
        self.path = path.decode("ascii", "replace")
        self.headers = joined(headers)
        self.arguments: tuple[str, ...] = ()
        self.route = "(none)"
        self.body = b""
        self.media_type = ""
        self.public_url = public_url
        self.rate_limit: dict[str, str] = NO_LIMIT
        self.keeps_alive = self.takes_chunks = True
        self.is_too_large = self.is_for_its_client_alone = False
        self.id = self._id()

    def _id(self) -> str:
        """Keep the client's own request id, if it is one; else make one."""
        given = self.header(b"request-id")
        return given if given and is_request_id(given) else new_request_id()

    def header(self, name: bytes) -> str | None:
        """Give a header, by its name in lower case."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def base_url(self) -> str:
        """Give where this server is, as the client called it."""
        host = self.header(b"host") or ""
        return self.public_url or f"http://{host if HOST(host) else 'localhost'}"


def joined(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Give headers by name. One that is given twice is joined with a comma, so that neither value counts by luck."""
    found = dict(headers)
    if len(found) < len(headers):
        found = {name: b", ".join(value for other, value in headers if other == name) for name in found}
    return found


class Response:
    """A response. Header names are in lower case."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.body = body
        self.headers = headers or {}


Pieces = AsyncGenerator[bytes, None]
"""A body that is made while it is sent."""


class Stream(Response):
    """A response whose body is made while it is sent, no faster than the client reads. Whoever sends it closes it.

    Args:
        pieces: Of the body.
    """

    __slots__ = ("_first", "_pieces", "note_end")

    def __init__(self, pieces: Pieces, headers: dict[str, str]) -> None:
        super().__init__(200, headers=headers)
        self.note_end: Callable[[], None] = lambda: None
        self._pieces = pieces
        self._first = b""

    async def begin(self) -> None:
        """Make the first piece, so that what fails by then is answered like any other request."""
        self._first = await anext(self._pieces, b"")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        first, self._first = self._first, b""
        return first or await anext(self._pieces)

    async def aclose(self) -> None:
        """Make no more of it, and give back what it was made with."""
        await self._pieces.aclose()
        self.note_end()


def json_response(value: object) -> Response:
    """Make the response that shows a value which has no version."""
    return Response(200, msgspec.json.encode(value), {"content-type": JSON})
