"""The operations, as the documentation tells of them. Bounds and patterns are not here but where they are checked."""

from owed.api.demo import bill_void
from owed.api.docs import nouns, sent, story
from owed.api.docs.adjustments import ADJUSTMENTS
from owed.api.docs.audit import AUDIT
from owed.api.docs.deliveries import DELIVERIES
from owed.api.docs.events import EVENTS
from owed.api.docs.ledger import LEDGER
from owed.api.docs.nouns import A_BILL, NOUNS, Noun
from owed.api.docs.operation import (
    ALWAYS,
    CHANGING,
    CREATING,
    EVERY_LIST,
    NULLS,
    PAGING,
    READER,
    REPLAYED,
    UNMODIFIED,
    VERSION,
    WRITER,
    WRITING,
    Operation,
    Operations,
    Success,
)
from owed.api.docs.parts import filters
from owed.api.docs.payments import PAYMENTS
from owed.api.docs.reallocations import REALLOCATIONS
from owed.api.docs.reports import REPORTS
from owed.api.docs.webhooks import ENDPOINTS
from owed.api.messages import JSON, MERGE_PATCH
from owed.core.outcomes import Code


def operations_of(noun: Noun) -> Operations:
    """Tell of what may be done with every kind of object."""
    path = f"/billing/{noun.kind}s"
    return {
        (path, "GET"): list_of(noun),
        (path, "POST"): create(noun),
        (f"{path}/{{{noun.kind}}}", "GET"): retrieve(noun),
        (f"{path}/{{{noun.kind}}}", "PATCH"): update(noun),
    }


def list_of(noun: Noun) -> Operation:
    """Tell of listing objects."""
    return Operation(
        f"list{noun.plural}",
        f"List {noun.kind}s",
        "Newest first. `Next-Cursor` and `Prev-Cursor` lead to the pages on either side; each is absent at its end. "
        "All filters hold at once; one that names an object that does not exist finds nothing.",
        noun.plural,
        {200: Success(f"A page of {noun.kind}s.", f"{noun.title}Page", (), PAGING)},
        ALWAYS,
        (*filters(noun), *EVERY_LIST, *READER),
    )


def create(noun: Noun) -> Operation:
    """Tell of creating an object."""
    answer = story.outcome(noun.asked(noun.new[0]))
    return Operation(
        f"create{noun.title}",
        f"Create {noun.a}",
        noun.creating,
        noun.plural,
        {201: Success(f"The {noun.kind} was created.", noun.title, ("Location", *VERSION), REPLAYED, example=answer)},
        (*CREATING, Code.NOT_FOUND) if noun.listing.filters.owners else CREATING,
        WRITER,
        {JSON: f"New{noun.title}"},
    )


def retrieve(noun: Noun) -> Operation:
    """Tell of retrieving an object."""
    answer = story.shown(story.standing(noun.kind, noun.named))
    return Operation(
        f"retrieve{noun.title}",
        f"Retrieve {noun.a}",
        "By id or by external reference; the id is tried first. With `as_of` what is money is as it was recorded at "
        "that time, with the status that follows from it, and the rest as it is now; such an answer has no version.",
        noun.plural,
        {200: Success(f"The {noun.kind}.", noun.title, (), VERSION, example=answer), 304: UNMODIFIED},
        (*ALWAYS, Code.NOT_FOUND),
        (noun.title, "AsOf", "IfNoneMatch", *READER),
    )


def update(noun: Noun) -> Operation:
    """Tell of changing an object."""
    clearable = ", ".join(f"`{name}`" for name in noun.resource.update_form.members if name in noun.resource.clearable)
    answer = story.outcome(noun.asked(noun.changes, noun.named))
    perhaps = (
        *REPLAYED,
        *(("Owed-Balance-Reapplied",) if "balance_as_of" in noun.resource.update_form.members else ()),
    )
    return Operation(
        f"update{noun.title}",
        f"Update {noun.a}",
        f"Only the given members change; `metadata` is merged, `payment_rules` is replaced whole. {noun.updating} What "
        f"changes nothing writes nothing.\n\n{NULLS} To clear {clearable} or one key of `metadata`, send the body as "
        "`application/merge-patch+json`: there null clears.",
        noun.plural,
        {200: Success(f"The {noun.kind} as it now stands.", noun.title, VERSION, perhaps, example=answer)},
        CHANGING,
        (noun.title, "IfMatch", *WRITER),
        {JSON: f"{noun.title}Changes", MERGE_PATCH: f"{noun.title}MergePatch"},
    )


VOID = Operation(
    "voidBill",
    "Void a bill",
    "For a bill that was raised in error. It cannot be undone: nothing is owed on the bill any more, and it can be "
    "neither paid nor changed. A bill on which something is paid is 409: refund its payments, reverse its credits, or "
    "correct `amount_paid` to 0 first. So is one that is voided already. A body is not needed; one may have "
    "`metadata`, which is merged, and nothing else.",
    A_BILL.plural,
    {
        200: Success(
            "The bill, voided.",
            A_BILL.title,
            VERSION,
            REPLAYED,
            example=story.outcome(bill_void(nouns.VOIDING, story.WRONG_BILL)),
        )
    },
    CHANGING,
    ("BillToVoid", "IfMatch", *WRITER),
    {JSON: "BillVoiding"},
    needs_body=False,
)

ERASE = Operation(
    "eraseCustomer",
    "Erase a customer",
    "For a person who asks to be forgotten. It takes `name`, `email`, `phone` and `metadata` from the customer and its "
    "accounts, and puts pseudonyms in the place of their external references. What was told of them before "
    "is redacted: events keep ids and amounts and have a `redacted` of true, and answers that idempotency keys have "
    "kept show what stands now. Ids, rules, bills, and all that was owed and paid stay, and the ledger still verifies. "
    "It answers when all of that is done, cannot be undone, and may be repeated. A body is not needed.",
    "Erasure",
    {200: Success("The customer, erased.", "Customer", VERSION, REPLAYED, example=story.erased(story.THANDI))},
    (*WRITING, Code.NOT_FOUND, Code.PRECONDITION_FAILED),
    ("CustomerToErase", "IfMatch", *WRITER),
)

SETTINGS: Operations = {
    ("/billing/settings", "GET"): Operation(
        "retrieveSettings",
        "Retrieve the settings",
        "Those of the key's mode, test or live.",
        "Settings",
        {200: Success("The settings.", "Settings", VERSION, example=story.settings()), 304: UNMODIFIED},
        ALWAYS,
        ("IfNoneMatch", *READER),
    ),
    ("/billing/settings", "PATCH"): Operation(
        "updateSettings",
        "Update the settings",
        "Only the given members change. In `payment_rules` those of `customer`, of `account` and of `bill` are each "
        "replaced whole, and the others kept. New objects get the rules; those that exist keep the ones that they "
        f"have.\n\n{NULLS} Nothing of the settings can be cleared.",
        "Settings",
        {
            200: Success(
                "The settings as they now stand.",
                "Settings",
                VERSION,
                REPLAYED,
                example=story.settings(**nouns.SETTINGS),
            )
        },
        (*WRITING, Code.PRECONDITION_FAILED),
        ("IfMatch", *WRITER),
        {JSON: "SettingsChanges", MERGE_PATCH: "SettingsMergePatch"},
    ),
}

SERVICE: Operations = {
    ("/health", "GET"): Operation(
        "health",
        "Health",
        "Tells whether the process lives, asking nobody else. Restart the service where this does not answer.",
        "Service",
        {200: Success("It lives.", "Status")},
        (Code.INVALID_REQUEST,),
        READER,
        is_public=True,
    ),
    ("/ready", "GET"): Operation(
        "ready",
        "Readiness",
        "Tells whether the database answers and has the schema that this program needs. Send no requests while not.",
        "Service",
        {200: Success("It is ready.", "Status")},
        (Code.INVALID_REQUEST, Code.UNAVAILABLE),
        READER,
        is_public=True,
    ),
    ("/metrics", "GET"): Operation(
        "metrics",
        "Metrics",
        "What the service has counted, over all workers, for Prometheus.",
        "Service",
        {200: Success("The metrics, as text.", "Metrics", media_type="text/plain")},
        (Code.INVALID_REQUEST,),
        READER,
        is_public=True,
    ),
}

OPERATIONS: Operations = {
    **{route: operation for noun in NOUNS for route, operation in operations_of(noun).items()},
    ("/billing/bills/{bill}/void", "POST"): VOID,
    **PAYMENTS,
    **REALLOCATIONS,
    **ADJUSTMENTS,
    **LEDGER,
    **REPORTS,
    **EVENTS,
    **ENDPOINTS,
    **DELIVERIES,
    **AUDIT,
    **SETTINGS,
    ("/billing/customers/{customer}/erase", "POST"): ERASE,
    **SERVICE,
}

TAGS = {
    **{noun.plural: noun.description for noun in NOUNS},
    "Payments": (
        "Money that came in, applied to what was owed: to a bill, or to the balance of an account or a customer. The "
        "payment rules of each decide, at the moment of payment, whether it is taken; all of it, or nothing."
    ),
    "Refunds": "Money that was given back. It raises again what is owed on what the payment had paid.",
    "Reversals": (
        "Money that never was good: a debit order that bounced, a chargeback, a keying error. What the payment had "
        "paid is owed again."
    ),
    "Allocations": (
        "Money that was received and fits nothing stays with the payment, and is the customer's: unallocated money. An "
        "allocation applies it, once it is known where it belongs."
    ),
    "Moves": "Money that a payment holds on the wrong obligation, taken to the right one, or off a bill with too much.",
    "Charges": (
        "What raises a balance by an amount, such as what was consumed. Against a `floor` it is refused where the "
        "credit does not cover it. Each can be reversed, and stays on the record."
    ),
    "Credits": (
        "What lowers a balance by an amount, or what remains of a bill: a credit note, a discount or a write-off. Each "
        "can be reversed, and stays on the record."
    ),
    "Ledger": (
        "Every change to what is owed is a transfer between two accounts of a double-entry ledger, appended and never "
        "changed."
    ),
    "Reports": (
        "What happened in a period, to hold against other books: as JSON, or as CSV where `Accept` asks for "
        "`text/csv`. They come as they are read, however long they are; one that breaks off lacks its last chunk."
    ),
    "Events": (
        "Everything that happened to customers, accounts and bills, one event for each thing, in the order in which it "
        "happened to the object. Events are kept for a time that the operator of the server has chosen."
    ),
    "Webhook endpoints": "Where you are told of events, as they happen: what is sent there is told under Webhooks.",
    "Deliveries": (
        "Why something did not reach you, and how it does: every attempt, with what your receiver answered; and what "
        "sends it again."
    ),
    "Audit": "Who did what, and why: all that the ledger and the events do not tell, and all that somebody signed.",
    "Settings": "What a merchant has decided for one mode: the time zone, and the payment rules that new objects get.",
    "Erasure": "What takes a person out of all that is kept, but for what they owe and have paid.",
    "Service": "How the service does. These need no key.",
    sent.TAG: sent.DESCRIPTION,
}
"""The groups of operations, and what they are about."""
