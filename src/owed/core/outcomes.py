"""Outcomes: what became of a command."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec

from owed.model.named import Named


class Code(StrEnum):
    """What a program switches on when it is refused (contract, 1.5)."""

    INVALID_REQUEST = "invalid_request"
    UNAUTHORIZED = "unauthorized"
    INVALID_API_KEY = "invalid_api_key"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    PAYMENT_NOT_FOUND = "payment_not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    CONFLICT = "conflict"
    IDEMPOTENCY_KEY_IN_USE = "idempotency_key_in_use"
    PRECONDITION_FAILED = "precondition_failed"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    PAYMENT_REFUSED = "payment_refused"
    INSUFFICIENT_CREDIT = "insufficient_credit"
    RATE_LIMITED = "rate_limited"
    INTERNAL_ERROR = "internal_error"
    UNAVAILABLE = "unavailable"


KEPT_CODES = frozenset(
    {
        Code.NOT_FOUND,
        Code.PAYMENT_NOT_FOUND,
        Code.CONFLICT,
        Code.PRECONDITION_FAILED,
        Code.PAYMENT_REFUSED,
        Code.INSUFFICIENT_CREDIT,
    }
)
"""The refusals that were decided on what stands, and so are kept under an idempotency key (contract, 1.4)."""


class Fault(msgspec.Struct, frozen=True):
    """One thing wrong with a request: where it is (a JSON Pointer, or `query: limit`), and what would be right."""

    pointer: str
    detail: str


class Done(msgspec.Struct, frozen=True):
    """The command was carried out, or had nothing to change.

    Attributes:
        object: As it stands now.
        reapplied: How many transfers were applied on top of a balance, where it was of an earlier time.
    """

    object: Named
    created: bool = False
    reapplied: int | None = None


class Refused(msgspec.Struct, frozen=True):
    """The command was refused, and changed nothing.

    Attributes:
        further: Members that only a refusal of this kind has.
    """

    code: Code
    detail: str
    faults: tuple[Fault, ...] = ()
    further: dict[str, Any] = {}


Outcome = Done | Refused


def is_kept(outcome: Outcome) -> bool:
    """Tell whether an idempotency key keeps this outcome and its answer (contract, 1.4)."""
    return isinstance(outcome, Done) or outcome.code in KEPT_CODES


def invalid(faults: Iterable[Fault]) -> Refused:
    """Refuse a request for everything that is wrong with it."""
    faults = tuple(faults)
    places = ", ".join(dict.fromkeys(fault.pointer or "the body" for fault in faults))
    return Refused(Code.INVALID_REQUEST, f"The request is not valid; see {places}.", faults)


def not_found(kind: str, name: str) -> Refused:
    """Refuse for want of the object that a path names."""
    return Refused(Code.NOT_FOUND, missing(kind, name))


def missing(kind: str, name: str) -> str:
    """Say that there is no object of this name."""
    return f"There is no {kind} with the id or external reference {name!r} for this key."


def taken(kind: str, reference: str, holder_id: str, **whose: str) -> Refused:
    """Refuse a reference that another of a kind has; keywords name what that is of."""
    detail = f"The external reference {reference!r} belongs to the {kind} {holder_id}."
    fault = Fault("/external_reference", f"Choose another, or retrieve the {kind} that has it.")
    return Refused(Code.CONFLICT, detail, (fault,), {f"{kind}_id": holder_id, **whose})
