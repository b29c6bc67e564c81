"""An example of each problem, rendered as a real one is."""

from typing import Any

import msgspec

from owed.api.fields import Schema
from owed.api.problems import problem
from owed.core.customers import KIND, duplicate
from owed.core.outcomes import Code, Fault, Refused, invalid, not_found

BASE_URL = "http://127.0.0.1:8000"
REQUEST_ID = "4c9213021f38238400000001"
CUSTOMERS = "/billing/customers"
JOHN = f"{CUSTOMERS}/UCR1234567890"

FAULTS = (
    Fault("/external_reference", "This is required."),
    Fault("/balance", "This must be an integer, such as 2000, not a string."),
    Fault("/metadata/plan", "A value must be a string, not an integer."),
)

EXAMPLES: dict[Code, tuple[str, Refused]] = {
    Code.INVALID_REQUEST: (CUSTOMERS, invalid(FAULTS)),
    Code.UNAUTHORIZED: (
        CUSTOMERS,
        Refused(Code.UNAUTHORIZED, "Send your API key as `Authorization: Bearer <key>`."),
    ),
    Code.INVALID_API_KEY: (
        CUSTOMERS,
        Refused(
            Code.INVALID_API_KEY,
            "There is no such API key. Check that it was copied whole, and that it belongs to this server.",
        ),
    ),
    Code.FORBIDDEN: (
        CUSTOMERS,
        Refused(Code.FORBIDDEN, "This needs a secret key (sk_test_… or sk_…); this one is public."),
    ),
    Code.NOT_FOUND: (f"{CUSTOMERS}/UCR404", not_found(KIND, "UCR404")),
    Code.METHOD_NOT_ALLOWED: (JOHN, Refused(Code.METHOD_NOT_ALLOWED, f"{JOHN} takes GET, HEAD, PATCH.")),
    Code.PAYLOAD_TOO_LARGE: (
        CUSTOMERS,
        Refused(Code.PAYLOAD_TOO_LARGE, "A body may have up to 1 MiB (1,048,576 bytes)."),
    ),
    Code.UNSUPPORTED_MEDIA_TYPE: (
        CUSTOMERS,
        Refused(Code.UNSUPPORTED_MEDIA_TYPE, "Send the body as application/json, with that Content-Type."),
    ),
    Code.CONFLICT: (CUSTOMERS, duplicate("UCR1234567890")),
    Code.IDEMPOTENCY_KEY_IN_USE: (
        CUSTOMERS,
        IN_USE,
    ),
    Code.PRECONDITION_FAILED: (
        JOHN,
        Refused(Code.PRECONDITION_FAILED, 'If-Match names another version than the one that stands, "2".'),
    ),
    Code.IDEMPOTENCY_KEY_REUSED: (
        CUSTOMERS,
        Refused(Code.IDEMPOTENCY_KEY_REUSED, "This Idempotency-Key was used for another request. Send a fresh one."),
    ),
    Code.RATE_LIMITED: (CUSTOMERS, Refused(Code.RATE_LIMITED, "This key may make 50 requests a second.")),
    Code.INTERNAL_ERROR: (
        CUSTOMERS,
        Refused(Code.INTERNAL_ERROR, "This is our fault, and it is logged under the request id."),
    ),
    Code.UNAVAILABLE: (
        CUSTOMERS,
        Refused(Code.UNAVAILABLE, "The database cannot be reached. Nothing was done; try again shortly."),
    ),
}


def example(code: Code) -> Schema:
    """Give the body of a refusal with this code."""
    instance, refused = EXAMPLES[code]
    body: dict[str, Any] = msgspec.json.decode(problem(refused, BASE_URL, instance, REQUEST_ID).body)
    return body
