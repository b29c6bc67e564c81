"""Problems: refusals as RFC 9457 problem details, and the catalogue of them (contract, 1.5)."""

from http import HTTPStatus
from typing import NamedTuple

import msgspec

from owed.core.outcomes import Code, Fault, Refused
from owed.model.answer import Answer


class Entry(NamedTuple):
    """What the catalogue says of a code."""

    status: HTTPStatus
    title: str
    meaning: str


CATALOGUE: dict[Code, Entry] = {
    Code.INVALID_REQUEST: Entry(
        HTTPStatus.BAD_REQUEST,
        "The request is not valid",
        "The JSON is malformed, or a member, header or query parameter is missing, unknown, of the wrong type or out "
        "of bounds. `errors` names every fault. Mend them and send it again; the idempotency key is still free.",
    ),
    Code.UNAUTHORIZED: Entry(
        HTTPStatus.UNAUTHORIZED,
        "No API key",
        "There is no `Authorization` header, or it is not `Bearer`. Send `Authorization: Bearer <key>`.",
    ),
    Code.INVALID_API_KEY: Entry(
        HTTPStatus.UNAUTHORIZED,
        "Unknown API key",
        "The key does not exist or is malformed. Check that it was copied whole, and that it belongs to this server.",
    ),
    Code.FORBIDDEN: Entry(
        HTTPStatus.FORBIDDEN,
        "The API key may not do this",
        "The key is revoked or expired, or it is a public key and this needs a secret one.",
    ),
    Code.NOT_FOUND: Entry(
        HTTPStatus.NOT_FOUND,
        "Not found",
        "There is no such object or route for this merchant and mode. Where the body names the object, as a bill names "
        "its customer or its account, `errors` says in which member. Test and live data never meet: check the key.",
    ),
    Code.PAYMENT_NOT_FOUND: Entry(
        HTTPStatus.NOT_FOUND,
        "No such payment",
        "There is no payment with this id or external reference for this merchant and mode; or, where `channel` is "
        "given, not in that channel.",
    ),
    Code.METHOD_NOT_ALLOWED: Entry(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "Method not allowed",
        "The route exists, but not with this method. The `Allow` header lists those that it has.",
    ),
    Code.PAYLOAD_TOO_LARGE: Entry(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large", "A body may have up to 1 MiB."
    ),
    Code.UNSUPPORTED_MEDIA_TYPE: Entry(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Unsupported media type",
        "A body is sent as `application/json`; a PATCH may also be `application/merge-patch+json`.",
    ),
    Code.CONFLICT: Entry(
        HTTPStatus.CONFLICT,
        "The state forbids it",
        "The request is valid, but what stands forbids it: a reference is taken, money already uses the currency, a "
        "bill is voided, there is money on a bill that is to be voided, a payment does not hold what is to be taken "
        "back, a bill does not take so much credit, or a charge or credit was reversed already; there are 100 webhook "
        "endpoints, five secrets of one are valid, the one that is to be sent something is disabled, or none takes the "
        "event. Where the reference of a payment, a refund, a reversal, a charge or a credit is taken, `payment_id`, "
        "`refund_id`, `reversal_id`, `charge_id` or `credit_id` names the one that has it: a client that has lost an "
        "answer finds it there.",
    ),
    Code.IDEMPOTENCY_KEY_IN_USE: Entry(
        HTTPStatus.CONFLICT,
        "The first request is still running",
        "An earlier request with the same `Idempotency-Key` has no answer yet. Try again after `Retry-After` seconds.",
    ),
    Code.PRECONDITION_FAILED: Entry(
        HTTPStatus.PRECONDITION_FAILED,
        "The object has changed",
        "`If-Match` names another version than the one that stands. Retrieve the object, and decide again.",
    ),
    Code.IDEMPOTENCY_KEY_REUSED: Entry(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The idempotency key was used for another request",
        "Nothing happened. A key stands for one request: send a fresh key, or the same request as before.",
    ),
    Code.PAYMENT_REFUSED: Entry(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The payment rules forbid it",
        "Nothing was taken. `rule` names the first rule that refuses the payment, `rules` all of them; `would_pass` "
        "has the least and the most that would pass, `settles` an exact amount beside that range: just what is owed. "
        "Neither is there where no amount would do. With several applications these are of the first that is refused, "
        "and `applications` has the same of each. `POST /billing/payments/check` tells all of it beforehand.",
    ),
    Code.INSUFFICIENT_CREDIT: Entry(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The credit does not cover the charge",
        "Nothing was charged: it would have left less credit than its `floor`. `balance` is what stands, and "
        "`available` the most that could be charged above the floor. Charge that or less, or have the customer pay "
        "first.",
    ),
    Code.RATE_LIMITED: Entry(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many requests",
        "The key has used up its rate, or too many tests of webhook endpoints, statements, reports or exports are "
        "under way. Try again after `Retry-After` seconds; the `RateLimit-*` headers tell the rest.",
    ),
    Code.INTERNAL_ERROR: Entry(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Our fault",
        "Something here is broken. It is logged under the request id; nothing was changed, and the key is free.",
    ),
    Code.UNAVAILABLE: Entry(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Not available at the moment",
        "The database is out of reach, too much is waiting, or the server is shutting down. Try again after "
        "`Retry-After` seconds. Where `detail` says that the outcome is unknown, retry with the same "
        "`Idempotency-Key`.",
    ),
}


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A refusal as it goes out."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: tuple[Fault, ...] = ()


def anchor(code: Code) -> str:
    """Give the code as it stands in the URL of its problem type."""
    return code.replace("_", "-")


def problem(refused: Refused, base_url: str, instance: str, request_id: str) -> Answer:
    """Render a refusal.

    Args:
        base_url: Where this server is, as the client called it; `type` is a URL under it that serves the catalogue.
        instance: The path of the request.
    """
    entry = CATALOGUE[refused.code]
    body = Problem(
        type=f"{base_url}/docs/errors#{anchor(refused.code)}",
        title=entry.title,
        status=entry.status,
        detail=refused.detail,
        instance=instance,
        code=refused.code,
        request_id=request_id,
        errors=refused.faults,
    )
    told = {**msgspec.to_builtins(body), **refused.further} if refused.further else body
    return Answer(entry.status, msgspec.json.encode(told))


class Refusal(Exception):
    """Raised by the edge where a request goes no further."""

    def __init__(self, refused: Refused, headers: dict[str, str] | None = None) -> None:
        super().__init__(refused.detail)
        self.refused = refused
        self.headers = headers or {}


def refusal(code: Code, detail: str, **headers: str) -> Refusal:
    """Make a refusal; keywords are further headers, with `_` for `-`."""
    return Refusal(Refused(code, detail), {name.replace("_", "-"): value for name, value in headers.items()})
