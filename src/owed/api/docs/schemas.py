"""The schemas of what goes in and out, made of the fields that validate."""

from collections.abc import Iterable
from typing import Any

from owed.api import accounts, bills, customers, settings
from owed.api.composites import NOTHING, Object
from owed.api.docs import nouns, story
from owed.api.docs.nouns import NOUNS, Noun
from owed.api.fields import Anything, Field, Metadata, OnlyNull, Schema
from owed.api.forms import PAYMENT_RULES
from owed.api.lists import MOST
from owed.api.problems import CATALOGUE

NULL: Schema = {"type": "null"}

NAMES = {
    id(PAYMENT_RULES.schema): "PaymentRules",
    id(customers.CREATE.schema): "NewCustomer",
    id(accounts.CREATE.schema): "NewAccountInBill",
}
"""Schemas that go by a name wherever they stand in another."""

NEEDS: dict[str, Schema] = {
    "account": {"required": ["external_reference", "customer"]},
    "bill": {"anyOf": [{"required": ["customer"]}, {"required": ["account"]}]},
}
"""What a request for a new object must have, where that is more than its form says."""


def reference(kind: str, name: str) -> Schema:
    """Refer to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def schemas() -> dict[str, Schema]:
    """Give every named schema."""
    found: dict[str, Schema] = {}
    for noun in NOUNS:
        found |= schemas_of(noun)
    return {
        **found,
        "NewAccountInBill": new(accounts.CREATE),
        "BillVoiding": {**taken(bills.VOID), "examples": [nouns.VOIDING]},
        **schemas_of_settings(),
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


def schemas_of(noun: Noun) -> dict[str, Schema]:
    """Give the schemas of an object, of a page of them, and of the requests that make and change one."""
    form, changes = noun.resource.create_form, noun.resource.update_form
    return {
        noun.title: shown(noun),
        f"{noun.title}Page": page_of(noun),
        f"New{noun.title}": {**new(form), **NEEDS.get(noun.kind, {}), "examples": [*noun.new]},
        f"{noun.title}Changes": {**taken(changes), "examples": [noun.changes]},
        f"{noun.title}MergePatch": {
            **taken(changes, noun.resource.clearable), "examples": [noun.merge_patch],
        },
    }  # fmt: skip


def schemas_of_settings() -> dict[str, Schema]:
    """Give the schemas of the settings, and of the requests that change them."""
    members = by_name(settings.UPDATE.schema["properties"])
    members["payment_rules"]["required"] = [*settings.RULES.members]
    merged = taken(settings.UPDATE, NOTHING)
    merged["properties"]["payment_rules"] = taken(settings.RULES, NOTHING)
    return {
        "Settings": {
            **settings.UPDATE.schema,
            "description": "What a merchant has decided for one mode, test or live.",
            "properties": members,
            "required": [*members],
            "examples": [story.settings()],
        },
        "SettingsChanges": {**taken(settings.UPDATE), "examples": [nouns.SETTINGS]},
        "SettingsMergePatch": {**merged, "examples": [nouns.SETTINGS_PATCH]},
    }


def shown(noun: Noun) -> Schema:
    """Describe an object as it goes out: what is not set is absent."""
    example = story.standing(noun.kind, noun.named)
    members = {**by_name(noun.resource.create_form.schema["properties"]), **noun.ours}
    return {
        "type": "object",
        "description": f"{noun.description} A member that is not set is absent.",
        "properties": {name: members[name] for name in example.members()},
        "required": list(noun.always),
        "additionalProperties": False,
        "examples": [story.shown(example)],
    }


def page_of(noun: Noun) -> Schema:
    """Describe a page of objects."""
    return {
        "type": "object",
        "properties": {"data": {"type": "array", "items": reference("schemas", noun.title), "maxItems": MOST}},
        "required": ["data"],
        "additionalProperties": False,
        "examples": [{"data": [story.shown(story.standing(noun.kind, noun.named))]}],
    }


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
