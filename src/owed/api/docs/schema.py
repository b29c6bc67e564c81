"""Schemas of what a request may have, made of the fields that validate; and how one schema refers to another."""

from collections.abc import Iterable
from typing import Any

from owed.api import accounts, customers
from owed.api.composites import Object
from owed.api.fields import TIMESTAMP, Anything, Field, Metadata, OnlyNull, Schema
from owed.api.forms import PAYMENT_RULES
from owed.api.lists import MOST
from owed.api.payments import APPLICATION
from owed.api.taken_back import WANTED

NULL: Schema = {"type": "null"}

NAMES = {
    id(PAYMENT_RULES.schema): "PaymentRules",
    id(customers.CREATE.schema): "NewCustomer",
    id(accounts.CREATE.schema): "NewAccountInBill",
    id(APPLICATION.schema): "NewApplication",
    id(WANTED.schema): "WantedBack",
}
"""Schemas that go by a name wherever they stand in another."""


def reference(kind: str, name: str) -> Schema:
    """Refer to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def moment(description: str) -> Schema:
    """Describe a time."""
    return {"type": "string", "format": "date-time", "pattern": f"^{TIMESTAMP}$", "description": description}


def objects(members: Schema, required: tuple[str, ...], description: str, **more: object) -> Schema:
    """Describe an object of known members.

    Args:
        required: Those that are always there.
    """
    return {
        "type": "object",
        "description": description,
        "properties": members,
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


def page_of(title: str, *examples: Any) -> Schema:
    """Describe a page of objects."""
    items = {"type": "array", "items": reference("schemas", title), "maxItems": MOST}
    return objects({"data": items}, ("data",), "A page of a list.", examples=[{"data": [*examples]}])


def new(form: Object) -> Schema:
    """Describe a request for a new object."""
    needs = {"dependentRequired": {"balance": ["currency"]}} if "balance" in form.members else {}
    return {**taken(form), **needs}


def taken(form: Object, clearable: Iterable[str] | None = None) -> Schema:
    """Describe what a request may have: a member that may be left out may be null.

    Args:
        clearable: The only members that may be null, as in a merge patch.
    """
    nullable = form.members.keys() - set(form.required) if clearable is None else set(clearable)
    members = {
        name: or_null(taken_member(field)) if name in nullable else taken_member(field)
        for name, field in sorted(form.members.items(), key=is_of_no_use)
        if clearable is None or not isinstance(field, OnlyNull)
    }
    described = {**form.schema, "properties": members}
    return described if form.required else {name: value for name, value in described.items() if name != "required"}


def is_of_no_use(member: tuple[str, Field]) -> bool:
    """Tell whether a member says nothing in a request: it may only be null, or as it stands. Such are listed last."""
    return isinstance(member[1], OnlyNull | Anything)


def taken_member(field: Field) -> Schema:
    """Describe what a member of a request may be; a value of metadata may be null."""
    if isinstance(field, Metadata):
        return {**field.schema, "additionalProperties": or_null(field.schema["additionalProperties"])}
    if isinstance(field, Object) and id(field.schema) not in NAMES:
        return taken(field)
    named: Schema = by_name(field.schema)
    return named


def by_name(schema: Any) -> Any:
    """Refer by name to what has one, wherever it stands in a schema."""
    if id(schema) in NAMES:
        return reference("schemas", NAMES[id(schema)])
    if isinstance(schema, dict):
        return {name: by_name(value) for name, value in schema.items()}
    return [by_name(value) for value in schema] if isinstance(schema, list) else schema


def or_null(schema: Schema) -> Schema:
    """Describe a value that may be null instead."""
    if "type" not in schema:
        return {**schema, "oneOf": [*schema["oneOf"], NULL]} if "oneOf" in schema else {"oneOf": [schema, NULL]}
    if schema["type"] == "null":
        return schema
    choices = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **choices}
