"""A small, honest HTTP client: it sends what a test says, byte for byte, and hides nothing of the answer."""

import json as jsonlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import BadStatusLine, HTTPConnection, HTTPMessage, HTTPResponse
from typing import Any, Final

Json = dict[str, Any]

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
PROBLEM: Final = "application/problem+json"

# The server closes idle connections; one that has rested is not used again, so that no request is ever sent twice.
_REST = 2.0


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: HTTPMessage
    body: bytes

    def json(self) -> Any:
        """Return the body as a JSON value."""
        return jsonlib.loads(self.body)

    @property
    def code(self) -> str:
        """Return the `code` of a problem."""
        code: str = self.json()["code"]
        return code

    @property
    def pointers(self) -> list[str]:
        """Return where the faults are that a problem names, in its order."""
        return [fault["pointer"] for fault in self.json().get("errors", [])]

    @property
    def etag(self) -> str:
        """Return the `ETag`, which must be there."""
        return self.header("ETag")

    def header(self, name: str) -> str:
        """Return a header that must be there."""
        value = self.headers.get(name)
        assert value is not None, f"no {name} in {self.headers.items()}"
        return value

    def media_type(self) -> str:
        """Return the media type without its parameters."""
        return self.header("Content-Type").partition(";")[0].strip()


class Client:
    """One caller: a port and a key (or none). Threads may share it, each has its own connection."""

    def __init__(self, port: int, key: str | None = None, *, timeout: float = 15.0) -> None:
        self.port = port
        self.key = key
        self.timeout = timeout
        self._local = threading.local()
        self._opened: list[HTTPConnection] = []

    def get(self, path: str, **headers: str) -> Answer:
        """GET `path`; a header is named with underscores, `If_None_Match`."""
        return self.send("GET", path, headers=_named(headers))

    def post(self, path: str, json: Any, **headers: str) -> Answer:
        """POST a JSON value."""
        return self.send("POST", path, _encoded(json), _named({"Content_Type": JSON} | headers))

    def patch(self, path: str, json: Any, **headers: str) -> Answer:
        """PATCH with a JSON value, as application/json unless `Content_Type` says otherwise."""
        return self.send("PATCH", path, _encoded(json), _named({"Content_Type": JSON} | headers))

    def merge(self, path: str, json: Any, **headers: str) -> Answer:
        """PATCH with a JSON value, as application/merge-patch+json."""
        return self.patch(path, json, **({"Content_Type": MERGE_PATCH} | headers))

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request exactly as given, with this caller's key, and return its answer."""
        connection = self._connection()
        authorization = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        # A server that refuses a body early answers, and may close, while we still send: the answer counts.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, path, body, authorization | dict(headers or {}))
        if connection.sock is None:  # it was not even opened
            raise ConnectionResetError
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        self._local.used = time.monotonic()
        return answer

    def close(self) -> None:
        """Close every connection, of every thread."""
        for connection in self._opened:
            connection.close()
        self._opened.clear()
        self._local = threading.local()

    def _connection(self) -> HTTPConnection:
        if time.monotonic() - getattr(self._local, "used", -_REST) >= _REST:
            self._local.connection = HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
            self._opened.append(self._local.connection)
        connection: HTTPConnection = self._local.connection
        return connection


@contextmanager
def raw(port: int, *, timeout: float = 15.0) -> Iterator[socket.socket]:
    """Open a bare connection, for what no decent client would send."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        yield connection


def exchange(port: int, request: bytes) -> Answer | None:
    """Send bytes; return the first answer, or None where the server closed without one."""
    with raw(port) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        return read_answer(connection)


def read_answer(connection: socket.socket) -> Answer | None:
    """Read one answer from a bare connection, or None where the server closed without one."""
    response = HTTPResponse(connection)
    try:
        response.begin()
        return Answer(response.status, response.headers, response.read())
    except (BadStatusLine, ConnectionResetError):
        return None


def _encoded(value: Any) -> bytes:
    return value if isinstance(value, bytes) else jsonlib.dumps(value).encode()


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items() if value != ""}
