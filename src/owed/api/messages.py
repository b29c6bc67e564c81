"""Requests and responses, thin over ASGI: at this rate a microsecond in every request shows."""

import itertools
import re
import secrets
from collections.abc import Mapping
from typing import Any

from owed.model.access import ApiKey

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
PROBLEM_JSON = "application/problem+json"

REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII).fullmatch

Scope = Mapping[str, Any]


_PROCESS = secrets.token_hex(8)
_COUNT = itertools.count(1)


def new_request_id() -> str:
    """Make a request id that no other process makes; counting costs a tenth of what chance does."""
    return f"{_PROCESS}{next(_COUNT):08x}"


class Request:
    """A request, as handlers see it."""

    __slots__ = (
        "arguments", "body", "headers", "id", "key", "media_type", "method", "path", "query", "route", "scheme",
    )  # fmt: skip

    key: ApiKey
    """Whose request it is; set once it is authenticated."""

    def __init__(self, scope: Scope) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["raw_path"].decode("ascii", "replace")
        self.scheme: str = scope["scheme"]
        self.query: bytes = scope["query_string"]
        self.headers = joined(scope["headers"])
        self.arguments: tuple[str, ...] = ()
        self.route = "(none)"
        self.body = b""
        self.media_type = ""
        self.id = self._id()

    def _id(self) -> str:
        """Keep the client's own request id, if it is one; else make one."""
        given = self.headers.get(b"request-id", b"").decode("latin-1")
        return given if REQUEST_ID(given) else new_request_id()

    def header(self, name: bytes) -> str | None:
        """Give a header, by its name in lower case."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def base_url(self) -> str:
        """Give where this server is, as the client called it."""
        return f"{self.scheme}://{self.headers.get(b'host', b'localhost').decode('latin-1')}"


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

