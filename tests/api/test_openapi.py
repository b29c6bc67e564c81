"""The OpenAPI document: true, whole, and of one mind with what validates."""

from functools import cache
from itertools import product
from typing import Any, NamedTuple

import jsonschema_rs
import msgspec
import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from owed.api import (
    accounts,
    adjustments,
    bills,
    customers,
    deliveries,
    entries,
    events,
    payments,
    replays,
    reports,
    settings,
    statements,
    verification,
    webhook_endpoints,
    webhook_tests,
)
from owed.api.composites import NOTHING, Object
from owed.api.demo import JOHN_DOE
from owed.api.docs.examples import REFUSALS, example
from owed.api.docs.nouns import NOUNS
from owed.api.docs.operations import OPERATIONS, TAGS
from owed.api.fields import Anything, Faults, Field
from owed.api.filters import PAGING
from owed.api.lists import Listing
from owed.api.openapi import document
from owed.api.periods import PERIOD
from owed.api.problems import CATALOGUE, Refusal
from owed.api.rate_limit import RateLimit
from owed.api.reallocations import ALLOCATIONS, MOVES
from owed.api.routes import PAGES, ROUTES
from owed.api.taken_back import REFUNDS, REVERSALS
from owed.core.outcomes import Code

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["components"]["schemas"][name]
    return {"$schema": DRAFT, "components": document()["components"], **found}


def test_the_document_is_valid_openapi() -> None:
    assert schemathesis.openapi.from_dict(document()).validate() is None


def test_every_route_is_described_and_nothing_else_is() -> None:
    routes = {(route.path, method) for route in (*ROUTES, *PAGES) for method in route.handlers}
    documentation = {route for route in routes if route[0].startswith(("/docs", "/openapi.json"))}

    assert set(OPERATIONS) == routes - documentation


def test_every_operation_is_told_of_in_a_group() -> None:
    described = [
        operation for kind in ("paths", "webhooks") for path in document()[kind].values() for operation in path.values()
    ]

    assert list(TAGS) == list(dict.fromkeys(tag for operation in described for tag in operation["tags"]))


@pytest.mark.parametrize("operation", [key for key, operation in OPERATIONS.items() if operation.is_public])
def test_only_what_needs_no_key_says_so(operation: tuple[str, str]) -> None:
    assert operation[0] in {route.path for route in PAGES}


LISTS: dict[str, Listing] = {
    **{f"/billing/{noun.kind}s": noun.listing for noun in NOUNS},
    "/billing/payments": payments.LIST,
    "/billing/payments/{payment}/refunds": REFUNDS.list,
    "/billing/payments/{payment}/reversals": REVERSALS.list,
    **{f"/billing/{way.object_kind}s/{{{way.object_kind}}}/{way.kind}s": way.list for way in adjustments.WAYS},
}
EVERY_LIST = pytest.mark.parametrize("path", LISTS)


def parameters_of(path: str) -> list[dict[str, Any]]:
    """Give the query parameters that a list is described with."""
    shared = document()["components"]["parameters"]
    parameters = [shared[name] for name in OPERATIONS[path, "GET"].parameters]
    return [each for each in parameters if each["in"] == "query"]


@EVERY_LIST
def test_every_query_parameter_of_a_list_is_described(path: str) -> None:
    names = {each["name"] for each in parameters_of(path)}
    picking = {"channel"} if "{payment}" in path else set()

    assert names == {name.removesuffix("[key]") for name in LISTS[path].filters.names} | picking


@pytest.mark.parametrize("kind", ["customer", "account", "bill"])
def test_every_query_parameter_of_entries_is_described(kind: str) -> None:
    assert {each["name"] for each in parameters_of(f"/billing/{kind}s/{{{kind}}}/entries")} == {*entries.PARAMETERS}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/billing/events", events.PARAMETERS),
        ("/billing/events/{event}/deliveries", PAGING),
        ("/billing/webhook_endpoints", PAGING),
        ("/billing/customers/{customer}/statement", tuple(statements.PARAMETERS)),
        ("/billing/reports/payments", ("date",)),
        ("/billing/reports/ageing", ("as_of",)),
        ("/billing/exports/entries", tuple(PERIOD)),
        ("/billing/exports/payments", tuple(PERIOD)),
    ],
)
def test_every_other_query_parameter_is_described(path: str, names: tuple[str, ...]) -> None:
    assert {each["name"] for each in parameters_of(path)} == {*names}


def test_an_idempotency_key_is_required_where_money_moves_and_nowhere_else() -> None:
    required = {path for (path, _), operation in OPERATIONS.items() if "RequiredIdempotencyKey" in operation.parameters}

    assert required == {
        "/billing/payments",
        "/billing/payments/{payment}/refunds",
        "/billing/payments/{payment}/reversals",
        "/billing/payments/{payment}/allocations",
        "/billing/payments/{payment}/moves",
        "/billing/customers/{customer}/charges",
        "/billing/customers/{customer}/credits",
        "/billing/accounts/{account}/charges",
        "/billing/accounts/{account}/credits",
        "/billing/bills/{bill}/credits",
    }


ADJUSTMENTS = ("CustomerCharge", "CustomerCredit", "AccountCharge", "AccountCredit", "BillCredit")


def adjusting(name: str) -> set[str]:
    """Name what can be done with the charges, or the credits, on one kind of object."""
    return {f"list{name}s", f"create{name}", f"retrieve{name}", f"reverse{name}"}


def test_a_new_object_leads_to_all_that_can_be_done_with_it() -> None:
    posts = [path["post"] for path in document()["paths"].values() if "post" in path]
    creating = [operation for operation in posts if "201" in operation["responses"]]
    links = {operation["operationId"]: set(operation["responses"]["201"]["links"]) for operation in creating}

    assert links == {
        "createCustomer": {
            "retrieveCustomer", "updateCustomer", "listAccounts", "listBills", "listPayments", "listCustomerEntries",
            "retrieveStatement", "eraseCustomer", "retrieveUnallocated", "listUnallocated",
            *adjusting("CustomerCharge"), *adjusting("CustomerCredit"),
        },
        "createAccount": {
            "retrieveAccount", "updateAccount", "listBills", "listPayments", "listAccountEntries",
            *adjusting("AccountCharge"), *adjusting("AccountCredit"),
        },
        "createBill": {
            "retrieveBill", "updateBill", "voidBill", "listPayments", "listBillEntries", *adjusting("BillCredit"),
        },
        "createPayment": {
            "retrievePayment", "listRefunds", "createRefund", "retrieveRefund", "listReversals", "createReversal",
            "retrieveReversal", "listAllocations", "createAllocation", "retrieveAllocation", "listMoves", "createMove",
            "retrieveMove",
        },
        "createAllocation": {"retrieveAllocation"},
        "createMove": {"retrieveMove"},
        "createRefund": {"retrieveRefund"},
        "createReversal": {"retrieveReversal"},
        **{f"create{name}": {f"retrieve{name}", f"reverse{name}"} for name in ADJUSTMENTS},
        "createWebhookEndpoint": {
            "retrieveWebhookEndpoint", "updateWebhookEndpoint", "deleteWebhookEndpoint", "listWebhookSecrets",
            "retrieveWebhookSecret", "rotateWebhookSecret", "retrieveWebhookStatus", "replayEvents",
            "testWebhookEndpoint",
        },
    }  # fmt: skip


def test_what_takes_a_payment_back_leads_to_itself_under_its_payment() -> None:
    refunding = document()["paths"]["/billing/payments/{payment}/refunds"]["post"]["responses"]["201"]

    assert refunding["links"]["retrieveRefund"]["parameters"] == {
        "payment": "$response.body#/payment_id",
        "refund": "$response.body#/id",
    }


def test_a_new_endpoint_leads_to_its_secret() -> None:
    creating = document()["paths"]["/billing/webhook_endpoints"]["post"]["responses"]["201"]

    assert creating["links"]["retrieveWebhookSecret"]["parameters"] == {
        "endpoint": "$response.body#/id",
        "secret": "$response.body#/secret_id",
    }


@pytest.mark.parametrize("name", list(document()["components"]["schemas"]))
def test_every_example_keeps_to_its_schema(name: str) -> None:
    schema = schema_of(name)
    for each in schema.get("examples", []):
        jsonschema_rs.validate(schema, each, validate_formats=True)


def test_every_problem_that_there_can_be_has_an_example() -> None:
    named = {code for operation in OPERATIONS.values() for code in operation.problems}

    assert named | {Code.METHOD_NOT_ALLOWED} == REFUSALS.keys()
    assert CATALOGUE.keys() == REFUSALS.keys()


OF_OTHERS = {
    "settles", "applications", "payment_id", "refund_id", "reversal_id", "charge_id", "credit_id", "customer_id",
    "account_id", "bill_id", "balance", "floor", "available", "allocation_id", "move_id", "fits",
}  # fmt: skip
"""The further members of a problem that this refusal does not have."""


def test_a_charge_that_the_credit_does_not_cover_says_what_is_available() -> None:
    body = example(Code.INSUFFICIENT_CREDIT)

    assert {name: body[name] for name in ("balance", "floor", "available")} == {
        "balance": -39_000, "floor": 0, "available": 39_000,
    }  # fmt: skip


def test_a_payment_that_is_refused_says_what_would_pass() -> None:
    body = example(Code.PAYMENT_REFUSED)
    described = document()["components"]["schemas"]["Problem"]["properties"]

    assert {name: body[name] for name in ("rule", "rules", "would_pass")} == {
        "rule": "overpayment_allowed",
        "rules": ["overpayment_allowed"],
        "would_pass": {"min": 1, "max": 10_950},
    }
    assert {*described} - {*body} == {*OF_OTHERS}


def test_the_example_of_a_used_up_rate_is_what_the_limit_says() -> None:
    limit = RateLimit(1)
    limit.spend("key_1")
    with pytest.raises(Refusal) as raised:
        limit.spend("key_1")

    assert raised.value.refused == REFUSALS[Code.RATE_LIMITED]


@pytest.mark.parametrize("code", REFUSALS)
def test_an_example_of_a_problem_is_one(code: Code) -> None:
    body = example(code)
    jsonschema_rs.validate(schema_of("Problem"), body)

    assert (body["code"], body["status"]) == (code, CATALOGUE[code].status)


FIELDS = {
    (place, name): field
    for place, form in (
        ("customer", customers.CREATE), ("account", accounts.CREATE), ("bill", bills.CREATE), ("update", bills.UPDATE),
        ("settings", settings.UPDATE), ("payment", payments.PAYMENT_FORM), ("refund", REFUNDS.form),
        ("reversal", REVERSALS.form),
        ("allocation", ALLOCATIONS.form), ("move", MOVES.form), ("endpoint", webhook_endpoints.UPDATE),
        ("rotation", webhook_endpoints.ROTATION),
        ("test", webhook_tests.TEST), ("replay", replays.REPLAY), ("redelivery", deliveries.REDELIVER),
        ("received", verification.RECEIVED), ("charge", adjustments.ACCOUNT_CHARGES.form),
        ("credit", adjustments.ACCOUNT_CREDITS.form), ("bill credit", adjustments.BILL_CREDITS.form),
    )
    for name, field in form.members.items()
}  # fmt: skip


@pytest.mark.parametrize("field", [*statements.PARAMETERS.values(), reports.DATE, reports.AS_OF])
def test_the_example_of_a_period_is_one(field: Field) -> None:
    (shown,) = field.schema["examples"]

    assert field.check(shown, "", Faults()) is not UNSET


@pytest.mark.parametrize("field", [field for field in FIELDS.values() if "examples" in field.schema])
def test_the_example_of_a_member_is_taken(field: Field) -> None:
    shown = msgspec.to_builtins(field.schema["examples"])

    assert all(field.check(each, "", Faults()) is not UNSET for each in shown)


@EVERY_LIST
def test_the_example_of_a_filter_is_taken(path: str) -> None:
    given = [(each["name"], str(each["example"])) for each in parameters_of(path) if "example" in each]
    faults = Faults()
    LISTS[path].filters.read([pair for pair in given if pair[0] != "metadata"], faults)

    assert faults.found == []


class Taken(NamedTuple):
    """A request that a form takes, and the schema that describes it."""

    name: str
    form: Object
    right: dict[str, Any]
    clearable: frozenset[str] | None = None


A_BILL = {"external_reference": "ref", "customer": "ref", "currency": "ZAR", "amount_due": 1}
A_PAYMENT = {"bill": "ref", "amount": 1, "currency": "ZAR"}
REQUESTS = [
    Taken("NewCustomer", customers.CREATE, {"external_reference": "ref"}),
    Taken("NewAccount", accounts.CREATE, {"external_reference": "ref", "customer": "ref"}),
    Taken("NewBill", bills.CREATE, A_BILL),
    Taken("CustomerChanges", customers.UPDATE, {}),
    Taken("CustomerMergePatch", customers.UPDATE, {}, customers.CUSTOMERS.clearable),
    Taken("AccountChanges", accounts.UPDATE, {}),
    Taken("AccountMergePatch", accounts.UPDATE, {}, accounts.ACCOUNTS.clearable),
    Taken("BillChanges", bills.UPDATE, {}),
    Taken("BillMergePatch", bills.UPDATE, {}, bills.BILLS.clearable),
    Taken("BillVoiding", bills.VOID, {}),
    Taken("NewPayment", payments.PAYMENT_FORM, A_PAYMENT),
    Taken("PaymentToCheck", payments.PAYMENT_FORM, A_PAYMENT),
    Taken("NewRefund", REFUNDS.form, {}),
    Taken("NewAllocation", ALLOCATIONS.form, {}),
    Taken("NewMove", MOVES.form, {}),
    Taken("NewCharge", adjustments.ACCOUNT_CHARGES.form, {"amount": 1}),
    Taken("NewCharge", adjustments.CUSTOMER_CHARGES.form, {"amount": 1}),
    Taken("NewCredit", adjustments.ACCOUNT_CREDITS.form, {"amount": 1}),
    Taken("NewBillCredit", adjustments.BILL_CREDITS.form, {"amount": 1, "type": "discount"}),
    Taken("NewReversal", REVERSALS.form, {"reason": "error"}),
    Taken("SettingsChanges", settings.UPDATE, {}),
    Taken("SettingsMergePatch", settings.UPDATE, {}, NOTHING),
    Taken("NewWebhookEndpoint", webhook_endpoints.CREATE, {"url": "https://acme.example/hook"}),
    Taken("WebhookEndpointChanges", webhook_endpoints.UPDATE, {}),
    Taken("WebhookEndpointMergePatch", webhook_endpoints.UPDATE, {}, webhook_endpoints.CLEARABLE),
    Taken("SecretRotation", webhook_endpoints.ROTATION, {}),
    Taken("NewTest", webhook_tests.TEST, {}),
    Taken("NewReplay", replays.REPLAY, {"since": "2026-01-31T00:00:00Z"}),
    Taken("NewRedelivery", deliveries.REDELIVER, {}),
    Taken("ReceivedWebhook", verification.RECEIVED, {"headers": {}, "body": "", "secret": "sec_1"}),
]

TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(alphabet="abAZ09+-_.@\n\u0660é😀", max_size=20),
    *map(st.from_regex, sorted({field.schema["pattern"] for field in FIELDS.values() if "pattern" in field.schema})),
    st.integers(250, 260).map("x".__mul__),
    st.dates().map(str),
)
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**54), 2**54), TEXTS, st.lists(TEXTS, max_size=2),
    st.dictionaries(TEXTS, TEXTS | st.none(), max_size=3), st.just(JOHN_DOE["payment_rules"]),
)  # fmt: skip
NAMES = st.sampled_from(sorted({"nonsense", "bill", "min_amount", "max_amount", *(name for _, name in FIELDS)}))
RULES = st.dictionaries(
    st.sampled_from(["customer", "account", "bill"]), st.none() | st.just(JOHN_DOE["payment_rules"])
)
VALUES = RULES | st.recursive(
    PLAIN,
    lambda inside: st.dictionaries(NAMES, inside, max_size=3).map({"external_reference": "ref"}.__or__),
    max_leaves=6,
)


def takes(request: Taken, value: object) -> bool:
    faults = Faults()
    request.form.check_members(value, "", faults, request.clearable)
    return not faults.found


def as_formed(node: Any) -> Any:
    """Leave out of a schema what no form says: which members need which, which is told after all forms are right."""
    if isinstance(node, dict):
        return {name: as_formed(value) for name, value in node.items() if name != "dependentRequired"}
    return [as_formed(each) for each in node] if isinstance(node, list) else node


@cache
def described(name: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(as_formed(schema_of(name)), validate_formats=True)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.name)
@given(data=st.data())
def test_the_schema_and_the_check_take_the_same_requests(request_: Taken, data: st.DataObject) -> None:
    """They are made of the same declarations, but of two languages: JSON Schema with ECMA 262 patterns, and Python."""
    formed = [name for name, field in request_.form.members.items() if not isinstance(field, Anything)]
    given = data.draw(st.dictionaries(st.sampled_from([*formed, "nonsense"]), VALUES, max_size=4))
    value = {**request_.right, **given}

    assert takes(request_, value) == described(request_.name).is_valid(value)


@pytest.mark.parametrize("types", [list(each) for n in range(4) for each in product(["*", "bill.paid", "x"], repeat=n)])
def test_the_schema_and_the_check_take_the_same_lists_of_types(types: list[str]) -> None:
    value = {"url": "https://acme.example/hook", "events": types}
    request = Taken("NewWebhookEndpoint", webhook_endpoints.CREATE, value)

    assert takes(request, value) == described(request.name).is_valid(value)
