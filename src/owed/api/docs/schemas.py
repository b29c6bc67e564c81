"""The schemas of what goes in and out, made of the fields that validate."""

from typing import Any

from owed.api import accounts, bills, settings
from owed.api.composites import NOTHING
from owed.api.docs import nouns, story
from owed.api.docs.adjustment_schemas import INSUFFICIENT, TAKEN_ADJUSTMENTS, schemas_of_adjustments
from owed.api.docs.audit import schemas_of_audit
from owed.api.docs.delivery_schemas import schemas_of_deliveries
from owed.api.docs.event_schemas import schemas_of_events
from owed.api.docs.ledger_schemas import schemas_of_the_ledger
from owed.api.docs.nouns import NOUNS, Noun
from owed.api.docs.payment_schemas import EXPLAINED, TAKEN, schemas_of_payments
from owed.api.docs.reallocation_schemas import schemas_of_reallocations
from owed.api.docs.report_schemas import schemas_of_reports
from owed.api.docs.schema import by_name, new, page_of, taken
from owed.api.docs.webhook_schemas import schemas_of_endpoints
from owed.api.fields import Schema
from owed.api.forms import PAYMENT_RULES
from owed.api.problems import CATALOGUE

NEEDS: dict[str, Schema] = {
    "account": {"required": ["external_reference", "customer"]},
    "bill": {"anyOf": [{"required": ["customer"]}, {"required": ["account"]}]},
}
"""What a request for a new object must have, where that is more than its form says."""


def schemas() -> dict[str, Schema]:
    """Give every named schema."""
    found: dict[str, Schema] = {}
    for noun in NOUNS:
        found |= schemas_of(noun)
    return {
        **found,
        "NewAccountInBill": new(accounts.CREATE),
        "BillVoiding": {**taken(bills.VOID), "examples": [nouns.VOIDING]},
        **schemas_of_payments(),
        **schemas_of_reallocations(),
        **schemas_of_adjustments(),
        **schemas_of_the_ledger(),
        **schemas_of_reports(),
        **schemas_of_events(),
        **schemas_of_endpoints(),
        **schemas_of_deliveries(),
        **schemas_of_audit(),
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
        f"{noun.title}Page": page_of(noun.title, story.shown(story.standing(noun.kind, noun.named))),
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
    further = {**EXPLAINED, **INSUFFICIENT, **TAKEN, **TAKEN_ADJUSTMENTS}
    return {
        "type": "object",
        "description": "A refusal, as RFC 9457 problem details.",
        "properties": {**members, **further},
        "required": [name for name in members if name != "errors"],
    }
