"""The operations of payments, and of what takes them back, as the documentation tells of them."""

from owed.api.books import Json, PaymentAsked
from owed.api.demo import refund, reversal
from owed.api.docs import story
from owed.api.docs.operation import (
    ALWAYS,
    EVERY_LIST,
    MONEY_MOVER,
    PAGING,
    READER,
    REPLAYED,
    UNMODIFIED,
    VERSION,
    WRITING,
    Operation,
    Operations,
    Success,
)
from owed.api.docs.parts import PAYMENT_FILTERS
from owed.api.messages import JSON
from owed.core.outcomes import Code

ONE_BILL: Json = {
    "bill": "INV-1004",
    "amount": 64_990,
    "currency": "ZAR",
    "external_reference": "PAY1234567890",
    "channel": "bank_transfer",
    "method": "eft",
    "paid_at": "2026-01-30T14:05:00Z",
}

WHAT_IS_LEFT: Json = {
    "applications": [{"bill": "INV-1002", "amount": 315_000}, {"customer": "UCR1234567888", "amount": 85_000}],
    "amount": 400_000,
    "currency": "ZAR",
    "external_reference": "PAY1234567891",
    "channel": "bank_transfer",
}

CHECKED: tuple[Json, ...] = (
    {"account": story.PREPAID, "amount": 20_000, "currency": "KES"},
    {"account": story.HER_WATER, "amount": 20_000, "currency": "ZAR"},
)

GIVEN_BACK: Json = {"amount": 5000, "reason": "paid twice", "external_reference": "RET1234567890"}
CHARGED_BACK: Json = {"reason": "chargeback", "occurred_at": "2026-01-30T09:00:00Z"}

DECIDED = (
    "What it pays is named by `bill`, `account` or `customer`; or by `applications`, where it goes to several, "
    "and then their amounts add up to `amount`. The payment rules of each decide, on what is owed at that moment: "
    "all of it is taken, or nothing. What is refused is 422 `payment_refused`, which says by which rule and what "
    "would pass.\n\n"
    "Money that is in the bank already is `received`: it is never refused by a rule, nor for something that does "
    "not exist. A bill takes up to what remains, a balance all, a voided bill or one in another currency nothing; "
    "the rest is unallocated money, of `customer` beside what is paid, or else of the customer of that. What "
    "would have been refused is told in `rule_breaches`.\n\n"
    "An `external_reference` that another payment has in its `channel` is 409, with its `payment_id`."
)

CHECK = (
    "Takes the body of a payment and changes nothing. `allowed` says whether the payment would be taken; `rules` names "
    "every rule that refuses it, `would_pass` and `settles` say what would do, and `after` has each object as it would "
    "be. It needs no `Idempotency-Key`."
)

TAKING_BACK = (
    "Without `amount` and `applications` it is all that is left of the payment; with `amount`, unallocated money "
    "goes first, and then the newest application; `applications` says how much of which. The payment rules do not "
    "apply. What was paid is owed again, and a bill is unpaid again. More than the payment still holds is 409."
)

NAMING = "The payment goes by its id or by its external reference; `channel` picks where several channels have it."

PAYMENTS_PATH = "/billing/payments"
PAYMENT_PATH = f"{PAYMENTS_PATH}/{{payment}}"

PAYMENTS: Operations = {
    (PAYMENTS_PATH, "GET"): Operation(
        "listPayments",
        "List payments",
        "Newest first. `customer` finds those of its accounts and of its bills too. All filters hold at once; one that "
        "names an object that does not exist finds nothing.",
        "Payments",
        {200: Success("A page of payments.", "PaymentPage", (), PAGING)},
        ALWAYS,
        (*PAYMENT_FILTERS, *EVERY_LIST, *READER),
    ),
    (PAYMENTS_PATH, "POST"): Operation(
        "createPayment",
        "Take a payment",
        DECIDED,
        "Payments",
        {
            201: Success(
                "The payment was taken.",
                "Payment",
                ("Location", *VERSION),
                REPLAYED,
                example=story.outcome(PaymentAsked(ONE_BILL)),
            )
        },
        (*WRITING, Code.NOT_FOUND, Code.CONFLICT, Code.PAYMENT_REFUSED),
        MONEY_MOVER,
        {JSON: "NewPayment"},
    ),
    (f"{PAYMENTS_PATH}/check", "POST"): Operation(
        "checkPayment",
        "Check a payment",
        CHECK,
        "Payments",
        {200: Success("What would become of the payment.", "PaymentCheck", example=story.checked(CHECKED[0]))},
        (*ALWAYS, Code.NOT_FOUND, Code.PAYLOAD_TOO_LARGE, Code.UNSUPPORTED_MEDIA_TYPE),
        ("OwedActor", "OwedReason", *READER),
        {JSON: "PaymentToCheck"},
    ),
    (PAYMENT_PATH, "GET"): Operation(
        "retrievePayment",
        "Retrieve a payment",
        NAMING,
        "Payments",
        {
            200: Success(
                "The payment.", "Payment", VERSION, example=story.shown(story.standing("payment", story.TWO_BILLS))
            ),
            304: UNMODIFIED,
        },
        (*ALWAYS, Code.PAYMENT_NOT_FOUND),
        ("Payment", "Channel", "IfNoneMatch", *READER),
    ),
}


def operations_of(kind: str, named: str, create: Operation) -> Operations:
    """Tell of what may be done with what changes a payment.

    Args:
        kind: Of what changes it.
        named: The parameter that names a payment that has one.
        create: How one is made.
    """
    title = kind.title()
    path = f"{PAYMENT_PATH}/{kind}s"
    example = story.shown(story.standing(kind, story.DOCUMENTS[kind]))
    return {
        (path, "GET"): Operation(
            f"list{title}s",
            f"List the {kind}s of a payment",
            f"Newest first. {NAMING}",
            f"{title}s",
            {200: Success(f"A page of {kind}s.", f"{title}Page", (), PAGING)},
            (*ALWAYS, Code.PAYMENT_NOT_FOUND),
            (named, "Channel", f"{title}sByExternalReference", *EVERY_LIST, *READER),
        ),
        (path, "POST"): create,
        (f"{path}/{{{kind}}}", "GET"): Operation(
            f"retrieve{title}",
            f"Retrieve a {kind}",
            f"By id or by external reference, under its payment. {NAMING}",
            f"{title}s",
            {200: Success(f"The {kind}.", title, VERSION, example=example), 304: UNMODIFIED},
            (*ALWAYS, Code.NOT_FOUND, Code.PAYMENT_NOT_FOUND),
            (named, title, "Channel", "IfNoneMatch", *READER),
        ),
    }


CHANGING_PAYMENTS = (*WRITING, Code.NOT_FOUND, Code.PAYMENT_NOT_FOUND, Code.CONFLICT, Code.PRECONDITION_FAILED)
"""What a change of a payment may be refused for."""

CREATE_REFUND = Operation(
    "createRefund",
    "Refund a payment",
    f"Money is given back. {TAKING_BACK} A body is not needed. {NAMING}",
    "Refunds",
    {
        201: Success(
            "The refund was recorded.",
            "Refund",
            ("Location", *VERSION),
            REPLAYED,
            example=story.outcome(refund(story.TWO_BILLS, GIVEN_BACK)),
        )
    },
    CHANGING_PAYMENTS,
    ("Payment", "Channel", "IfMatch", *MONEY_MOVER),
    {JSON: "NewRefund"},
    needs_body=False,
)

CREATE_REVERSAL = Operation(
    "createReversal",
    "Reverse a payment",
    f"Money never was good: a debit order bounced, a card was charged back, somebody mistyped. {TAKING_BACK} {NAMING}",
    "Reversals",
    {
        201: Success(
            "The reversal was recorded.",
            "Reversal",
            ("Location", *VERSION),
            REPLAYED,
            example=story.outcome(reversal(story.CARD, CHARGED_BACK)),
        )
    },
    CHANGING_PAYMENTS,
    ("CardPayment", "Channel", "IfMatch", *MONEY_MOVER),
    {JSON: "NewReversal"},
)

PAYMENTS |= operations_of("refund", "RefundedPayment", CREATE_REFUND)
PAYMENTS |= operations_of("reversal", "ReversedPayment", CREATE_REVERSAL)
