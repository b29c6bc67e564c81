"""Idempotency: the client's key for a request, and what tells one request from another (contract, 1.4)."""

import hashlib
import re
from typing import Any

import msgspec

from owed.api.fields import Faults
from owed.api.messages import Request
from owed.core.outcomes import Fault
from owed.engine.pending import Idempotency

HEADER = "header: Idempotency-Key"
KEY = "[A-Za-z0-9_-]{1,255}"
is_key = re.compile(KEY, re.ASCII).fullmatch


def key_fault(request: Request, *, is_required: bool) -> Fault | None:
    """Give what is wrong with the request's key, or with its absence."""
    key = request.header(b"idempotency-key")
    if key is None:
        detail = "This header is required; send a fresh UUID with each new request."
        return Fault(HEADER, detail) if is_required else None
    detail = "This must be 1 to 255 characters of A-Z, a-z, 0-9, _ and -; a UUID is best."
    return None if is_key(key) else Fault(HEADER, detail)


def check_key(request: Request, faults: Faults) -> None:
    """Note what is wrong with the request's key, if it gives one where none is needed."""
    if fault := key_fault(request, is_required=False):
        faults.found.append(fault)


def idempotency(request: Request, value: Any) -> Idempotency | None:
    """Give the request's key and fingerprint; None where it has no key.

    Args:
        value: The body's JSON value, or its bytes where it has none. The value counts and not its bytes, so that a
            client may write the same thing in another way when it retries.
    """
    key = request.header(b"idempotency-key")
    if key is None:
        return None
    target = [request.method, request.path, request.query, request.media_type, request.header(b"if-match"), value]
    return Idempotency(key, hashlib.sha256(msgspec.json.encode(target, order="deterministic")).digest())
