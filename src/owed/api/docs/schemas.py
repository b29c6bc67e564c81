"""The schemas of what goes in and out, made of the fields that validate."""

from collections.abc import Iterable
from typing import Any

from owed.api.customers import CREATE, CUSTOMERS, UPDATE
from owed.api.demo import JOHN_DOE
from owed.api.fields import Object, Schema
from owed.api.forms import PAYMENT_RULES
from owed.api.lists import MOST
from owed.api.problems import CATALOGUE
from owed.model.identifiers import CUSTOMER, pattern

JOHN_DOE_SHOWN: Schema = {"id": "bcus_H4jp6KnU5cPw263v1jyz4", **JOHN_DOE}
"""The customer of the examples, as the API shows it."""

CHANGES: Schema = {"name": "John M. Doe", "balance": 1500, "metadata": {"customer_type": "standard"}}
MERGE_PATCH: Schema = {"phone": None, "metadata": {"registration_source": None}}


def reference(kind: str, name: str) -> Schema:
    """Refer to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def schemas() -> dict[str, Schema]:
    """Give every named schema."""
    optional = frozenset(CREATE.members) - frozenset(CREATE.required)
    return {
        "Customer": shown_customer(),
        "CustomerPage": shown_page(),
        "NewCustomer": {
            **with_nulls(CREATE, optional),
            "dependentRequired": {"balance": ["currency"]},
            "examples": [JOHN_DOE],
        },
        "CustomerChanges": {**with_nulls(UPDATE, UPDATE.members), "examples": [CHANGES]},
        "CustomerMergePatch": {**with_nulls(UPDATE, CUSTOMERS.clearable), "examples": [MERGE_PATCH]},
        "PaymentRules": PAYMENT_RULES.schema,
        "Problem": problem(),
        "Status": {
            "type": "object",
            "properties": {"status": {"const": "ok"}},
            "required": ["status"],
            "additionalProperties": False,
        },
        "Metrics": {"type": "string"},
    }


def shown_customer() -> Schema:
    """Describe a customer as it goes out: what is not set is absent."""
    identifier = {
        "type": "string",
        "pattern": f"^{pattern(CUSTOMER).pattern}$",
        "description": "The customer's id.",
        "examples": [JOHN_DOE_SHOWN["id"]],
    }
    members: dict[str, Schema] = {**properties(CREATE), "id": identifier}
    return {
        "type": "object",
        "description": "A person or business that can have accounts and bills. A member that is not set is absent.",
        "properties": members,
        "required": ["id", "external_reference"],
        "additionalProperties": False,
        "examples": [JOHN_DOE_SHOWN],
    }


def shown_page() -> Schema:
    """Describe a page of customers."""
    return {
        "type": "object",
        "properties": {"data": {"type": "array", "items": reference("schemas", "Customer"), "maxItems": MOST}},
        "required": ["data"],
        "additionalProperties": False,
        "examples": [{"data": [JOHN_DOE_SHOWN]}],
    }


def properties(fields: Object) -> dict[str, Schema]:
    """Give the schemas of an object's members, the payment rules by their name."""
    rules = reference("schemas", "PaymentRules")
    return {name: rules if name == "payment_rules" else field.schema for name, field in fields.members.items()}


def with_nulls(fields: Object, nullable: Iterable[str]) -> Schema:
    """Describe an object of which some members, and the values of metadata, may be null."""
    members = properties(fields)
    values = or_null(members["metadata"]["additionalProperties"])
    members["metadata"] = {**members["metadata"], "additionalProperties": values}
    members |= {name: or_null(members[name]) for name in nullable}
    described = {**fields.schema, "properties": members}
    return described if fields.required else {name: value for name, value in described.items() if name != "required"}


def or_null(schema: Schema) -> Schema:
    """Describe a value that may be null instead."""
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return schema if schema["type"] == "null" else {**schema, "type": [schema["type"], "null"]}


def problem() -> Schema:
    """Describe a refusal (RFC 9457)."""
    text = {"type": "string"}
    fault: Schema = {
        "type": "object",
        "properties": {
            "pointer": {**text, "description": "A JSON Pointer into the body, or `header: …`, or `query: …`."},
            "detail": {**text, "description": "What is wrong there, and what would be right."},
        },
        "required": ["pointer", "detail"],
        "additionalProperties": False,
    }
    members: dict[str, Any] = {
        "type": {**text, "format": "uri-reference", "description": "Where this kind of problem is explained."},
        "title": {**text, "description": "The kind of problem, for people."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {**text, "description": "What was wrong with this request, and what would be right."},
        "instance": {**text, "description": "The path of the request."},
        "code": {"enum": [str(code) for code in CATALOGUE], "description": "The kind of problem, for programs."},
        "request_id": {**text, "description": "The `Request-Id`. Name it when you ask for help."},
        "errors": {"type": "array", "items": fault, "minItems": 1, "description": "Every fault that was found."},
    }
    return {
        "type": "object",
        "description": "A refusal, as RFC 9457 problem details.",
        "properties": members,
        "required": [name for name in members if name != "errors"],
    }
