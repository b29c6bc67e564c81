"""What the two FastAPI peers share: the contract's customer as pydantic checks it, problems, ids and cursors.

They differ only in how they reach the database. Left out, in their favour: the merge-patch media type, duplicate
members, nesting depth, `Owed-Actor`, the hash chain of the ledger, rate limits, metrics and logs.
"""

# ruff: noqa: FBT001, FBT002, S105  (it reads as people write such services)

import base64
import hashlib
import hmac
import secrets
import time
from datetime import datetime
from email.utils import format_datetime
from typing import Annotated, Any, Self

import iso4217
import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CURRENCIES = frozenset(currency.code for currency in iso4217.Currency)
CURSOR_SECRET = secrets.token_bytes(32)
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL = rf"^[A-Za-z0-9.!#$%&'*+/=?^_{{}}~`|-]{{1,64}}@{LABEL}(?:\.{LABEL})+$"
TOKEN = r"^[A-Za-z0-9_-]+$"


def active_currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError("is not an active ISO 4217 code")
    return code


def unreserved(reference: str) -> str:
    if reference.startswith("bcus_"):
        raise ValueError("may not begin with bcus_")
    return reference


Amount = Annotated[int, Field(ge=1, le=999_999_999_999)]
Balance = Annotated[int, Field(ge=-(2**53) + 1, le=2**53 - 1)]
Currency = Annotated[str, AfterValidator(active_currency)]
Text = Annotated[str, Field(max_length=255, pattern=r"^[^\x00]*$")]
Email = Annotated[str, Field(max_length=255, pattern=EMAIL)]
Phone = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{1,14}$")]
Reference = Annotated[str, Field(min_length=1, max_length=255, pattern=TOKEN), AfterValidator(unreserved)]
MetadataKey = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^\x00]*$")]
MetadataValue = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]
Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=20)]


class Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PaymentRules(Checked):
    min_amount: Amount
    max_amount: Amount
    underpayment_allowed: bool
    overpayment_allowed: bool

    @model_validator(mode="after")
    def in_order(self) -> Self:
        if self.min_amount > self.max_amount:
            raise ValueError("min_amount is above max_amount")
        return self


DEFAULT_RULES = PaymentRules(
    min_amount=1, max_amount=99_999_999, underpayment_allowed=True, overpayment_allowed=False
)


class Change(Checked):
    name: Text | None = None
    email: Email | None = None
    phone: Phone | None = None
    currency: Currency | None = None
    balance: Balance | None = None
    payment_rules: PaymentRules | None = None
    metadata: Metadata | None = None


class CustomerUpdate(Change):
    id: str | None = None
    external_reference: str | None = None


class CustomerCreate(Change):
    external_reference: Reference

    @model_validator(mode="after")
    def balance_has_currency(self) -> Self:
        if self.balance is not None and self.currency is None:
            raise ValueError("balance needs a currency")
        return self


class Problem(Exception):
    """A refusal, answered as problem details (RFC 9457)."""

    def __init__(self, status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None) -> None:
        self.status, self.code, self.detail, self.errors = status, code, detail, errors

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
        return msgspec.json.encode(members).decode()


def unauthorized() -> Problem:
    return Problem(401, "unauthorized", "Send Authorization: Bearer and a secret key")


def invalid_key() -> Problem:
    return Problem(401, "invalid_api_key", "There is no such key")


def forbidden() -> Problem:
    return Problem(403, "forbidden", "The key is public, revoked or expired")


def conflict(pointer: str, detail: str) -> Problem:
    return Problem(409, "conflict", detail, [{"pointer": pointer, "detail": detail}])


def not_found() -> Problem:
    return Problem(404, "not_found", "There is no such customer")


def stale() -> Problem:
    return Problem(412, "precondition_failed", "The customer has changed")


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


async def on_invalid(request: Request, failure: RequestValidationError) -> Response:
    faults = [
        {"pointer": "/" + "/".join(str(part) for part in fault["loc"][1:]), "detail": fault["msg"]}
        for fault in failure.errors()
    ]
    return await on_problem(request, Problem(400, "invalid_request", "The request is not valid", faults))


def dress(app: FastAPI) -> None:
    """Add what every route of a peer answers with: request ids and problem details."""
    app.add_middleware(RequestIds)
    app.add_exception_handler(Problem, on_problem)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, on_invalid)  # type: ignore[arg-type]
