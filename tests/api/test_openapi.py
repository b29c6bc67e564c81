"""The OpenAPI document: true, whole, and of one mind with what validates."""

from functools import cache
from typing import Any, NamedTuple

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from owed.api import accounts, bills, customers, settings
from owed.api.demo import JOHN_DOE
from owed.api.docs.examples import REFUSALS, example
from owed.api.docs.nouns import NOUNS, Noun
from owed.api.docs.operations import OPERATIONS, TAGS
from owed.api.fields import NOTHING, Anything, Faults, Field, Object
from owed.api.openapi import document
from owed.api.problems import CATALOGUE, Refusal
from owed.api.rate_limit import RateLimit
from owed.api.routes import PAGES, ROUTES
from owed.core.outcomes import Code

DRAFT = "https://json-schema.org/draft/2020-12/schema"

EVERY_NOUN = pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.kind)


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
    assert list(TAGS) == list(dict.fromkeys(operation.tag for operation in OPERATIONS.values()))


@pytest.mark.parametrize("operation", [key for key, operation in OPERATIONS.items() if operation.is_public])
def test_only_what_needs_no_key_says_so(operation: tuple[str, str]) -> None:
    assert operation[0] in {route.path for route in PAGES}


@EVERY_NOUN
def test_every_query_parameter_of_a_list_is_described(noun: Noun) -> None:
    shared = document()["components"]["parameters"]
    parameters = [shared[name] for name in OPERATIONS[f"/billing/{noun.kind}s", "GET"].parameters]
    names = [each["name"] for each in parameters if each["in"] == "query"]

    assert sorted(names) == sorted(name.removesuffix("[key]") for name in noun.listing.filters.names)


def test_a_new_object_leads_to_all_that_can_be_done_with_it() -> None:
    creating = {kind: document()["paths"][f"/billing/{kind}s"]["post"] for kind in ("customer", "account", "bill")}

    assert {kind: set(operation["responses"]["201"]["links"]) for kind, operation in creating.items()} == {
        "customer": {"retrieveCustomer", "updateCustomer", "listAccounts", "listBills"},
        "account": {"retrieveAccount", "updateAccount", "listBills"},
        "bill": {"retrieveBill", "updateBill", "voidBill"},
    }


@pytest.mark.parametrize("name", list(document()["components"]["schemas"]))
def test_every_example_keeps_to_its_schema(name: str) -> None:
    schema = schema_of(name)
    for each in schema.get("examples", []):
        jsonschema_rs.validate(schema, each, validate_formats=True)


def test_every_problem_that_there_can_be_has_an_example() -> None:
    named = {code for operation in OPERATIONS.values() for code in operation.problems}

    assert named | {Code.METHOD_NOT_ALLOWED} == REFUSALS.keys()
    assert CATALOGUE.keys() - REFUSALS.keys() == {Code.PAYMENT_NOT_FOUND, Code.PAYMENT_REFUSED}


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
        ("settings", settings.UPDATE),
    )
    for name, field in form.members.items()
}  # fmt: skip


@pytest.mark.parametrize("field", [field for field in FIELDS.values() if "examples" in field.schema])
def test_the_example_of_a_member_is_taken(field: Field) -> None:
    assert all(field.check(each, "", Faults()) is not UNSET for each in field.schema["examples"])


@EVERY_NOUN
def test_the_example_of_a_filter_is_taken(noun: Noun) -> None:
    parameters = [
        document()["components"]["parameters"][name] for name in OPERATIONS[f"/billing/{noun.kind}s", "GET"].parameters
    ]
    given = [(each["name"], str(each["example"])) for each in parameters if each["in"] == "query" and "example" in each]
    faults = Faults()
    noun.listing.filters.read([pair for pair in given if pair[0] != "metadata"], faults)

    assert faults.found == []


class Taken(NamedTuple):
    """A request that a form takes, and the schema that describes it."""

    name: str
    form: Object
    right: dict[str, Any]
    clearable: frozenset[str] | None = None


A_BILL = {"external_reference": "ref", "customer": "ref", "currency": "ZAR", "amount_due": 1}
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
    Taken("SettingsChanges", settings.UPDATE, {}),
    Taken("SettingsMergePatch", settings.UPDATE, {}, NOTHING),
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
