"""The operations, as the documentation tells of them. Bounds and patterns are not here but where they are checked."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from owed.api.messages import JSON, MERGE_PATCH
from owed.core.outcomes import Code

CUSTOMER = "/billing/customers/{customer}"

ALWAYS = (
    Code.INVALID_REQUEST,
    Code.UNAUTHORIZED,
    Code.INVALID_API_KEY,
    Code.FORBIDDEN,
    Code.RATE_LIMITED,
    Code.INTERNAL_ERROR,
    Code.UNAVAILABLE,
)
"""What any operation with a key may be refused for."""

WRITING = (
    *ALWAYS,
    Code.PAYLOAD_TOO_LARGE,
    Code.UNSUPPORTED_MEDIA_TYPE,
    Code.CONFLICT,
    Code.IDEMPOTENCY_KEY_IN_USE,
    Code.IDEMPOTENCY_KEY_REUSED,
)
"""What any operation that changes something may be refused for."""


class Success(NamedTuple):
    """An answer that is no problem.

    Attributes:
        schema: The name of its schema; none where there is no body.
        headers: Those that it always has, and those that it may have.
    """

    description: str
    schema: str = ""
    headers: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    media_type: str = JSON


class Operation(NamedTuple):
    """What may be done on a path with a method.

    Attributes:
        parameters: Names of components.
        bodies: The name of the schema of each media type that it takes.
    """

    id: str
    summary: str
    description: str
    answers: dict[int, Success]
    problems: tuple[Code, ...]
    parameters: tuple[str, ...] = ()
    bodies: Mapping[str, str] = MappingProxyType({})
    tag: str = "Customers"
    is_public: bool = False


READING = ("RequestId",)
CHANGING = ("IdempotencyKey", "OwedActor", "OwedReason", "RequestId")
VERSION = ("ETag", "Last-Modified")
PAGING = ("Next-Cursor", "Prev-Cursor", "Link")

FILTERS = (
    "Limit", "Cursor", "ExternalReference", "Email", "Phone", "Currency", "Q", "CreatedAfter", "CreatedBefore",
    "MetadataFilter",
)  # fmt: skip

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("/billing/customers", "GET"): Operation(
        "listCustomers",
        "List customers",
        "Newest first. `Next-Cursor` and `Prev-Cursor` lead to the pages on either side; each is absent at its end. "
        "All filters hold at once.",
        {200: Success("A page of customers.", "CustomerPage", (), PAGING)},
        ALWAYS,
        (*FILTERS, *READING),
    ),
    ("/billing/customers", "POST"): Operation(
        "createCustomer",
        "Create a customer",
        "Only `external_reference` is required. A `balance` needs a `currency`, and is recorded in the ledger as the "
        "customer's opening balance. Without `payment_rules` the customer gets the merchant's default rules.",
        {
            201: Success("The customer was created.", "Customer", ("Location", *VERSION), ("Idempotent-Replayed",)),
        },
        WRITING,
        CHANGING,
        {JSON: "NewCustomer"},
    ),
    (CUSTOMER, "GET"): Operation(
        "retrieveCustomer",
        "Retrieve a customer",
        "By id or by external reference.",
        {
            200: Success("The customer.", "Customer", VERSION),
            304: Success("The version that `If-None-Match` names still stands.", headers=VERSION),
        },
        (*ALWAYS, Code.NOT_FOUND),
        ("Customer", "IfNoneMatch", *READING),
    ),
    (CUSTOMER, "PATCH"): Operation(
        "updateCustomer",
        "Update a customer",
        "Only the given members change; `metadata` is merged, `payment_rules` is replaced whole. A new `balance` "
        "replaces the old one, and the ledger records the difference. What changes nothing writes nothing.\n\n"
        "In `application/json` a member that is null counts as not given. To clear `name`, `email`, `phone`, "
        "`payment_rules` or one key of `metadata`, send the body as `application/merge-patch+json`: there null clears.",
        {200: Success("The customer as it now stands.", "Customer", VERSION, ("Idempotent-Replayed",))},
        (*WRITING, Code.NOT_FOUND, Code.PRECONDITION_FAILED),
        ("Customer", "IfMatch", *CHANGING),
        {JSON: "CustomerChanges", MERGE_PATCH: "CustomerMergePatch"},
    ),
    ("/health", "GET"): Operation(
        "health",
        "Health",
        "Tells whether the process lives, asking nobody else. Restart the service where this does not answer.",
        {200: Success("It lives.", "Status")},
        (Code.INVALID_REQUEST,),
        READING,
        tag="Service",
        is_public=True,
    ),
    ("/ready", "GET"): Operation(
        "ready",
        "Readiness",
        "Tells whether the database answers and has the schema that this program needs. Send no requests while not.",
        {200: Success("It is ready.", "Status")},
        (Code.INVALID_REQUEST, Code.UNAVAILABLE),
        READING,
        tag="Service",
        is_public=True,
    ),
    ("/metrics", "GET"): Operation(
        "metrics",
        "Metrics",
        "What the service has counted, over all workers, for Prometheus.",
        {200: Success("The metrics, as text.", "Metrics", media_type="text/plain")},
        (Code.INVALID_REQUEST,),
        READING,
        tag="Service",
        is_public=True,
    ),
}
