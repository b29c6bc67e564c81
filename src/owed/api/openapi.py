"""The OpenAPI document: assembled once, of the declarations that validate requests and make the answers."""

from collections.abc import Collection, Iterable
from functools import cache

from owed import __version__
from owed.api.docs.examples import example
from owed.api.docs.operation import Operation, Success
from owed.api.docs.operations import OPERATIONS, TAGS
from owed.api.docs.parts import HEADERS, PARAMETERS, RATE_LIMIT
from owed.api.docs.schema import reference
from owed.api.docs.schemas import schemas
from owed.api.docs.sent import webhooks
from owed.api.fields import Schema
from owed.api.messages import CSV, PROBLEM_JSON
from owed.api.problems import CATALOGUE
from owed.core.outcomes import Code

INTRODUCTION = """\
Owed keeps what customers owe a merchant: their balances, the balances of their accounts, and their bills; and it \
takes what they pay.

Send an API key as `Authorization: Bearer <key>`. The key alone decides whose data it is, and whether it is test or \
live data. Money is an integer in the currency's smallest unit. What is refused is told as problem details (RFC 9457), \
with a `code` for programs; [the catalogue](/docs/errors) explains each.
"""

SECURITY: Schema = {
    "type": "http",
    "scheme": "bearer",
    "description": "A secret API key: `sk_test_…` for test data, `sk_…` for live data. Keep it on your servers.",
}

LEADING = {
    "endpoint": {"secret": "secret_id"},
    "refund": {"payment": "payment_id"},
    "reversal": {"payment": "payment_id"},
    "allocation": {"payment": "payment_id"},
    "move": {"payment": "payment_id"},
    "charge": {"customer": "customer_id", "account": "account_id"},
    "credit": {"customer": "customer_id", "account": "account_id", "bill": "bill_id"},
}
"""The members of a new object that name something else: by the parameter that takes the name."""

ALWAYS_THERE = {401: ("WWW-Authenticate",), 429: ("Retry-After", *RATE_LIMIT), 503: ("Retry-After",)}
"""The headers that a refusal with a status always has."""


@cache
def document() -> Schema:
    """Describe this API in OpenAPI 3.1."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Owed",
            "version": __version__,
            "summary": "Self-hosted billing.",
            "description": INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        "paths": paths(),
        "webhooks": webhooks(),
        "components": {
            "schemas": schemas(),
            "parameters": PARAMETERS,
            "headers": HEADERS,
            "responses": problem_responses(),
            "securitySchemes": {"key": SECURITY},
        },
    }


def paths() -> dict[str, Schema]:
    """Describe every operation, by path and method."""
    found: dict[str, Schema] = {}
    for (path, method), operation in OPERATIONS.items():
        found.setdefault(path, {})[method.lower()] = described(operation)
    return found


def described(operation: Operation) -> Schema:
    """Describe one operation."""
    answers = {str(status): answered(operation, success) for status, success in operation.answers.items()}
    refusals = {
        str(status): reference("responses", name_of(codes)) for status, codes in statuses(operation.problems).items()
    }
    found: Schema = {
        "operationId": operation.id,
        "summary": operation.summary,
        "description": operation.description,
        "tags": [operation.tag],
        "parameters": [reference("parameters", name) for name in operation.parameters],
        "responses": dict(sorted({**answers, **refusals}.items())),
    }
    if operation.bodies:
        content = {media_type: {"schema": reference("schemas", name)} for media_type, name in operation.bodies.items()}
        found["requestBody"] = {"required": operation.needs_body, "content": content}
    if operation.is_public:
        found["security"] = []
    return found


def answered(operation: Operation, success: Success) -> Schema:
    """Describe an answer that is no problem."""
    optional = (*success.optional, *(() if operation.is_public else RATE_LIMIT))
    found: Schema = {
        "description": success.description,
        "headers": headers(("Request-Id", *success.headers), optional),
    }
    if success.schema:
        example = {} if success.example is None else {"example": success.example}
        found["content"] = {success.media_type: {"schema": reference("schemas", success.schema), **example}}
    if success.is_csv_too:
        found["content"][CSV] = {"schema": reference("schemas", "Csv")}
    if "Location" in success.headers:
        found["links"] = leads_from(success.kind or success.schema.lower(), success.within)
    return found


def leads_from(kind: str, within: str) -> dict[str, Schema]:
    """Link to the operations that the id of a new object leads to: those with a parameter that names such an object.

    Args:
        within: What their paths begin with.
    """
    members = {kind: "id", **LEADING.get(kind, {})}
    found = {}
    for (path, _), operation in OPERATIONS.items():
        names = {PARAMETERS[name]["name"] for name in operation.parameters}
        named = {name: f"$response.body#/{member}" for name, member in members.items() if name in names}
        if kind in named and path.startswith(within):
            found[operation.id] = {"operationId": operation.id, "parameters": named}
    return found


def problem_responses() -> dict[str, Schema]:
    """Describe the refusals of all operations, each set of codes under its own name."""
    return {
        name_of(codes): refused(status, codes)
        for operation in OPERATIONS.values()
        for status, codes in statuses(operation.problems).items()
    }


def name_of(codes: Iterable[Code]) -> str:
    """Name the refusals with these codes."""
    return "Or".join(code.replace("_", " ").title().replace(" ", "") for code in codes)


def refused(status: int, codes: list[Code]) -> Schema:
    """Describe the refusals with a status."""
    narrowed = {"properties": {"status": {"const": status}, "code": {"enum": [str(code) for code in codes]}}}
    always = ALWAYS_THERE.get(status, ())
    optional = () if status == 429 else RATE_LIMIT
    if status in {404, 409, 412, 422}:
        optional = ("Idempotent-Replayed", *optional)
    if status == 409:
        optional = ("Retry-After", *optional)
    content = {
        "schema": {"allOf": [reference("schemas", "Problem"), narrowed]},
        "examples": {str(code): {"summary": CATALOGUE[code].title, "value": example(code)} for code in codes},
    }
    return {
        "description": " ".join(f"`{code}`: {CATALOGUE[code].meaning}" for code in codes),
        "headers": headers(("Request-Id", *always), optional),
        "content": {PROBLEM_JSON: content},
    }


def headers(always: tuple[str, ...], optional: tuple[str, ...]) -> Schema:
    """Describe the headers of a response."""
    required = {name: {**HEADERS[name], "required": True} for name in always}
    return {**required, **{name: reference("headers", name) for name in optional}}


def statuses(codes: Collection[Code]) -> dict[int, list[Code]]:
    """Sort codes under their statuses, in the order of the catalogue."""
    found: dict[int, list[Code]] = {}
    for code in (code for code in CATALOGUE if code in codes):
        found.setdefault(int(CATALOGUE[code].status), []).append(code)
    return dict(sorted(found.items()))
