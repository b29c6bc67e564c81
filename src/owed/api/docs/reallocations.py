"""The operations of unallocated money and of moves, as the documentation tells of them."""

from owed.api.books import Json, ReallocationAsked
from owed.api.docs import story
from owed.api.docs.operation import (
    ALWAYS,
    EVERY_LIST,
    MONEY_MOVER,
    PAGING,
    READER,
    REPLAYED,
    VERSION,
    Operation,
    Operations,
    Success,
)
from owed.api.docs.parts import UNALLOCATED_FILTERS
from owed.api.docs.payments import CHANGING_PAYMENTS, NAMING, operations_of
from owed.api.messages import JSON
from owed.api.reallocations import ALLOCATIONS, MOVES
from owed.core.outcomes import Code
from owed.store.unallocated import Row, Unallocated

APPLIED: Json = {"customer": story.KABELO, "amount": 20_000, "reason": "an advance", "external_reference": "CASE-4711"}
TAKEN_ELSEWHERE: Json = {"bill": "INV-1003", "amount": 12_000, "reason": "meant for the bill"}

FITTING = (
    "The payment rules do not apply: a bill takes up to what remains, a balance all. What does not fit is 409, and "
    "`fits` says how much would. "
)

LISTING = (
    "Newest first: the payments of which something is applied to nothing, as each now stands. All filters hold at "
    "once; a customer who does not exist has none."
)

OF_CUSTOMER = "By currency, with the newest payments of each, up to 100. `GET /billing/unallocated` lists all of them."

CREATE_ALLOCATION = Operation(
    "createAllocation",
    "Allocate unallocated money",
    "Applies what of a payment is applied to nothing, as the payment would have. Without `amount` it is all that "
    f"fits; more than is unallocated is 409. {FITTING}{NAMING}",
    "Allocations",
    {
        201: Success(
            "The money was applied.",
            "Allocation",
            ("Location", *VERSION),
            REPLAYED,
            example=story.outcome(ReallocationAsked(ALLOCATIONS, story.UNALLOCATED, APPLIED)),
        )
    },
    CHANGING_PAYMENTS,
    ("UnallocatedPayment", "Channel", "IfMatch", *MONEY_MOVER),
    {JSON: "NewAllocation"},
)

CREATE_MOVE = Operation(
    "createMove",
    "Move money that was misposted",
    "Takes what a payment holds on one obligation to another: what was posted to the wrong one, or the credit on an "
    "overpaid bill. Where nothing is named it becomes unallocated money. What was done stays on the record. "
    f"{FITTING}{NAMING}",
    "Moves",
    {
        201: Success(
            "The money was moved.",
            "Move",
            ("Location", *VERSION),
            REPLAYED,
            example=story.outcome(ReallocationAsked(MOVES, story.DEPOSITED, TAKEN_ELSEWHERE)),
        )
    },
    CHANGING_PAYMENTS,
    ("DepositedPayment", "Channel", "IfMatch", *MONEY_MOVER),
    {JSON: "NewMove"},
)

REALLOCATIONS: Operations = {
    ("/billing/unallocated", "GET"): Operation(
        "listUnallocated",
        "List unallocated money",
        LISTING,
        "Allocations",
        {200: Success("A page of payments.", "PaymentPage", (), PAGING)},
        ALWAYS,
        (*UNALLOCATED_FILTERS, *EVERY_LIST, *READER),
    ),
    ("/billing/customers/{customer}/unallocated", "GET"): Operation(
        "retrieveUnallocated",
        "Retrieve a customer's unallocated money",
        OF_CUSTOMER,
        "Allocations",
        {200: Success("What is unallocated, by currency.", "Unallocated")},
        (*ALWAYS, Code.NOT_FOUND),
        ("PayingCustomer", *READER),
    ),
    **operations_of("allocation", "UnallocatedPayment", CREATE_ALLOCATION),
    **operations_of("move", "UnallocatedPayment", CREATE_MOVE),
}


def unallocated() -> Json:
    """Give what is unallocated of a customer's payments, as it may look."""
    payment = story.standing("payment", story.UNALLOCATED)
    amount = payment.amount_unallocated
    row = Row(
        payment.currency, amount, 1, payment.id, amount, payment.external_reference, payment.channel, payment.paid_at
    )
    return story.as_answered({"data": [Unallocated(payment.currency, amount, 1, [row]).shown()]})
