"""What the two FastAPI peers answer with: problems, ids, `ETag`s and cursors. What they take is in `bodies`.

They differ only in how they reach the database. Left out, in their favour: the merge-patch media type, duplicate
members, nesting depth, `Owed-Actor`, a merchant's settings, rate limits, metrics, logs, and for all but
payments the hash chain of the ledger.
"""

# ruff: noqa: FBT001, FBT002  (it reads as people write such services)

import base64
import hashlib
import hmac
import secrets
import time
from datetime import datetime
from email.utils import format_datetime
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bench.peers.bodies import NAMED, NEW

CURSOR_SECRET = secrets.token_bytes(32)


class Problem(Exception):
    """A refusal, answered as problem details (RFC 9457)."""

    def __init__(
        self, status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None, **further: Any
    ) -> None:
        self.status, self.code, self.detail, self.errors, self.further = status, code, detail, errors, further

    def body(self, request: Request) -> str:
        members: dict[str, Any] = {
            "type": f"{request.base_url}docs/errors#{self.code.replace('_', '-')}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "instance": request.url.path,
            "code": self.code,
            "request_id": request.scope["request_id"],
        }
        if self.errors:
            members["errors"] = self.errors
        members |= self.further
        return msgspec.json.encode(members).decode()


def unauthorized() -> Problem:
    return Problem(401, "unauthorized", "Send Authorization: Bearer and a secret key")


def invalid_key() -> Problem:
    return Problem(401, "invalid_api_key", "There is no such key")


def forbidden() -> Problem:
    return Problem(403, "forbidden", "The key is public, revoked or expired")


def conflict(pointer: str, detail: str) -> Problem:
    return Problem(409, "conflict", detail, [{"pointer": pointer, "detail": detail}])


def duplicate(pointer: str) -> Problem:
    """Refuse a reference that stands already; the pointer ends with the member that gives it."""
    return conflict(pointer, "There is one with this reference")


def not_found(pointer: str = "") -> Problem:
    """Say that there is no such object: the one of the path, or the one that a member names."""
    detail = "There is no such object"
    return Problem(404, "not_found", detail, [{"pointer": pointer, "detail": detail}] if pointer else None)


def no_payment() -> Problem:
    return Problem(404, "payment_not_found", "There is no such payment")


def stale() -> Problem:
    return Problem(412, "precondition_failed", "The object has changed")


def invalid(pointer: str, detail: str) -> Problem:
    return Problem(400, "invalid_request", detail, [{"pointer": pointer, "detail": detail}])


def reused() -> Problem:
    return Problem(422, "idempotency_key_reused", "The key was used for another request")


def answer(status: int, body: str, location: str | None, etag: str | None, replayed: bool = False) -> Response:
    media_type = "application/problem+json" if status >= 400 else "application/json"
    headers = {"Location": location, "ETag": etag, "Idempotent-Replayed": "true" if replayed else None}
    return Response(body, status, {name: value for name, value in headers.items() if value}, media_type)


def etag(version: int) -> str:
    return f'"{version}"'


def last_modified(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def link(previous: bytes | None, *members: object) -> bytes:
    """Hash a transfer onto the one before it on the same obligation."""
    return hashlib.sha256((previous or b"") + msgspec.json.encode(members)).digest()


def new_id(prefix: str) -> str:
    """Make an id of 22 characters after its prefix that sorts by time."""
    return f"{prefix}{time.time_ns():016x}{secrets.token_hex(3)}"


def fingerprint(request: Request, body: BaseModel) -> bytes:
    """Hash what makes two requests with one Idempotency-Key the same."""
    parts = [request.method, str(request.url), request.headers.get("if-match", ""), body.model_dump_json()]
    return hashlib.sha256("\n".join(parts).encode()).digest()


def sign_cursor(direction: str, last_id: str, filters: str) -> str:
    mac = hmac.digest(CURSOR_SECRET, f"{direction}{last_id}{filters}".encode(), "sha256")[:16]
    return base64.urlsafe_b64encode(mac + f"{direction}{last_id}".encode()).decode()


def read_cursor(cursor: str, filters: str) -> tuple[str, str]:
    """Return the direction (`<` is older) and the id that a cursor of ours names."""
    try:
        position = base64.urlsafe_b64decode(cursor)[16:].decode()
    except ValueError:
        position = " "
    direction, last_id = position[:1], position[1:]
    if not hmac.compare_digest(sign_cursor(direction, last_id, filters), cursor):
        raise invalid("query: cursor", "is not a cursor of this list")
    return direction, last_id


class RequestIds:
    """Give every request an id, and name it in the response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = dict(scope["headers"]).get(b"request-id") if scope["type"] == "http" else None
        request_id = scope["request_id"] = given.decode() if given else secrets.token_hex(12)

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Request-Id"] = request_id
            await send(message)

        await self.app(scope, receive, send_named)


async def on_problem(request: Request, problem: Problem) -> Response:
    response = answer(problem.status, problem.body(request), None, None)
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def pointer(place: str, *path: str | int) -> str:
    if place == "header":
        return f"header: {str(path[0]).replace('_', '-').title()}"
    return "".join(f"/{part}" for part in path if part not in (NAMED, NEW))


async def on_invalid(request: Request, failure: RequestValidationError) -> Response:
    faults = [{"pointer": pointer(*fault["loc"]), "detail": fault["msg"]} for fault in failure.errors()]
    return await on_problem(request, Problem(400, "invalid_request", "The request is not valid", faults))


def dress(app: FastAPI) -> None:
    """Add what every route of a peer answers with: request ids and problem details."""
    app.add_middleware(RequestIds)
    app.add_exception_handler(Problem, on_problem)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, on_invalid)  # type: ignore[arg-type]
