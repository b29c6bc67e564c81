"""An example of each problem that there can be, rendered as a real one is."""

from typing import Any

import msgspec

from owed.api.adjustments import ACCOUNT_CHARGES
from owed.api.books import AdjustmentAsked, PaymentAsked
from owed.api.docs import addresses, story
from owed.api.fields import Schema
from owed.api.problems import problem
from owed.core.changing_payments import no_payment
from owed.core.create import duplicate
from owed.core.customers import CustomerMembers
from owed.core.outcomes import Code, Fault, Refused, invalid, not_found
from owed.core.preconditions import stale
from owed.engine.keys import IN_USE, REUSED

REQUEST_ID = "4c9213021f38238400000001"
CUSTOMERS = "/billing/customers"
JOHN = f"{CUSTOMERS}/UCR1234567890"

PAYMENTS = "/billing/payments"

PATHS = {
    Code.NOT_FOUND: f"{CUSTOMERS}/UCR404",
    Code.METHOD_NOT_ALLOWED: JOHN,
    Code.PRECONDITION_FAILED: JOHN,
    Code.PAYMENT_NOT_FOUND: f"{PAYMENTS}/PAY404",
    Code.PAYMENT_REFUSED: PAYMENTS,
    Code.INSUFFICIENT_CREDIT: f"/billing/accounts/{story.PREPAID}/charges",
}
"""Where another path than that of all customers is an example."""

FAULTS = (
    Fault("/external_reference", "This is required."),
    Fault("/balance", "This must be an integer, such as 2000, not a string."),
    Fault("/metadata/plan", "A value must be a string, not an integer."),
)

DECIDED = (
    invalid(FAULTS),
    not_found(CustomerMembers.kind, "UCR404"),
    no_payment("PAY404"),
    story.refusal(PaymentAsked({"account": story.HER_WATER, "amount": 20_000, "currency": "ZAR"})),
    story.refusal(AdjustmentAsked(ACCOUNT_CHARGES, story.PREPAID, {"amount": 60_000, "floor": 0})),
    duplicate([("", CustomerMembers(external_reference="UCR1234567890"))]),
    IN_USE,
    stale(frozenset("1"), version=2),
    REUSED,
)

DETAILS = {
    Code.UNAUTHORIZED: "Send your API key as `Authorization: Bearer <key>`.",
    Code.INVALID_API_KEY: (
        "There is no such API key. Check that it was copied whole, and that it belongs to this server."
    ),
    Code.FORBIDDEN: "This needs a secret key (sk_test_… or sk_…); this one is public.",
    Code.METHOD_NOT_ALLOWED: f"{JOHN} takes GET, HEAD, PATCH.",
    Code.PAYLOAD_TOO_LARGE: "A body may have up to 1 MiB (1,048,576 bytes).",
    Code.UNSUPPORTED_MEDIA_TYPE: "Send the body as application/json, with that Content-Type.",
    Code.RATE_LIMITED: "This key has made all the requests that it may make for now.",
    Code.INTERNAL_ERROR: "This is our fault, and it is logged under the request id.",
    Code.UNAVAILABLE: "The database cannot be reached, or takes too long. Nothing was done; try again shortly.",
}

REFUSALS = {
    **{refused.code: refused for refused in DECIDED if refused is not None},
    **{code: Refused(code, detail) for code, detail in DETAILS.items()},
}


def example(code: Code) -> Schema:
    """Give the body of a refusal with this code."""
    answer = problem(REFUSALS[code], addresses.EXAMPLE, PATHS.get(code, CUSTOMERS), REQUEST_ID)
    body: dict[str, Any] = msgspec.json.decode(answer.body)
    return body
