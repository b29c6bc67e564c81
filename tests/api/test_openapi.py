"""The OpenAPI document: true, whole, and of one mind with what validates."""

from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from owed.api.customer_fields import CREATE, MEMBERS, UPDATE
from owed.api.customer_list import known_parameters
from owed.api.demo import JOHN_DOE
from owed.api.docs.examples import example
from owed.api.docs.operations import OPERATIONS
from owed.api.fields import Faults, Object
from owed.api.openapi import document
from owed.api.problems import CATALOGUE
from owed.api.routes import PAGES, ROUTES
from owed.core.outcomes import Code

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["components"]["schemas"][name]
    return {"$schema": DRAFT, "components": document()["components"], **found}


def takes(fields: Object, value: object) -> bool:
    faults = Faults()
    fields.check_members(value, "", faults)
    return not faults.found


def test_the_document_is_valid_openapi() -> None:
    assert schemathesis.openapi.from_dict(document()).validate() is None


def test_every_route_is_described() -> None:
    routes = {(route.path, method) for route in (*ROUTES, *PAGES) for method in route.handlers}
    documentation = {route for route in routes if route[0].startswith(("/docs", "/openapi.json"))}

    assert set(OPERATIONS) == routes - documentation


@pytest.mark.parametrize("operation", [key for key, operation in OPERATIONS.items() if operation.is_public])
def test_only_what_needs_no_key_says_so(operation: tuple[str, str]) -> None:
    assert operation[0] in {route.path for route in PAGES}


def test_every_query_parameter_of_a_list_is_described() -> None:
    shared = document()["components"]["parameters"]
    parameters = [shared[name] for name in OPERATIONS["/billing/customers", "GET"].parameters]
    names = [each["name"] for each in parameters if each["in"] == "query"]

    assert sorted(names) == sorted(name.removesuffix("[key]") for name in known_parameters())


@pytest.mark.parametrize("name", list(document()["components"]["schemas"]))
def test_every_example_keeps_to_its_schema(name: str) -> None:
    schema = schema_of(name)
    for each in schema.get("examples", []):
        jsonschema_rs.validate(schema, each)


@pytest.mark.parametrize("code", list(Code))
def test_every_problem_has_an_example(code: Code) -> None:
    body = example(code)
    jsonschema_rs.validate(schema_of("Problem"), body)

    assert (body["code"], body["status"]) == (code, CATALOGUE[code].status)


@pytest.mark.parametrize(("name", "fields"), [("NewCustomer", CREATE), ("CustomerChanges", UPDATE)])
def test_the_example_of_a_request_is_taken(name: str, fields: Object) -> None:
    assert takes(fields, schema_of(name)["examples"][0])


TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(alphabet="abAZ09+-_.@\n\u0660é😀", max_size=20),
    *(st.from_regex(field.schema["pattern"]) for field in MEMBERS.values() if "pattern" in field.schema),
    st.integers(250, 260).map("x".__mul__),
)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**54), 2**54), TEXTS, st.lists(TEXTS, max_size=2),
    st.dictionaries(TEXTS, TEXTS | st.none(), max_size=3), st.just(JOHN_DOE["payment_rules"]),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([*CREATE.members, "id", "nonsense"]), VALUES, max_size=4))
def test_the_schema_and_the_check_take_the_same_customers(members: dict[str, Any]) -> None:
    """They are made of the same declarations, but of two languages: JSON Schema with ECMA 262 patterns, and Python."""
    request = {"external_reference": "ref", **members}
    schema = {name: value for name, value in schema_of("NewCustomer").items() if name != "dependentRequired"}

    assert takes(CREATE, request) == jsonschema_rs.is_valid(schema, request)


@pytest.mark.parametrize("name", [name for name in MEMBERS if "examples" in MEMBERS[name].schema])
def test_the_example_of_a_member_is_taken(name: str) -> None:
    assert MEMBERS[name].check(MEMBERS[name].schema["examples"][0], "", Faults()) is not UNSET
