"""A merchant's settings over HTTP, those of the key's mode (contract, section 5)."""

from typing import Any

from msgspec import UNSET

from owed.api import conditions, query
from owed.api.commands import carry_out, read_form
from owed.api.fields import Boolean, Faults, Object, Text
from owed.api.forms import BILL_RULES, PAYMENT_RULES
from owed.api.messages import MERGE_PATCH, Request, Response
from owed.api.resource import shown
from owed.api.service import Service
from owed.core.settings import SettingsMembers, UpdateSettings, settings_of

RULES = Object(
    {"customer": PAYMENT_RULES, "account": PAYMENT_RULES, "bill": BILL_RULES},
    dict,
    "The payment rules that new objects get where the request gives none. Each is replaced whole; the others stay.",
)

UPDATE = Object(
    {
        "time_zone": Text(255, "Where your days begin and end: an IANA name.", "Africa/Johannesburg"),
        "require_idempotency_key": Boolean("Whether every POST needs an `Idempotency-Key`."),
        "payment_rules": RULES,
    },
    dict,
    "The settings to change.",
)

NONE_CLEARS: frozenset[str] = frozenset()
"""The members that null clears in a merge patch."""


async def retrieve_settings(service: Service, request: Request) -> Response:
    """GET /billing/settings: retrieve the settings."""
    query.refuse_any(request)
    return shown(request, await service.lookups.find(settings_of(request.key.tenant_id)))


async def update_settings(service: Service, request: Request) -> Response:
    """PATCH /billing/settings: change the given settings, in force at once here, and soon on every other worker."""
    form = read_form(request)
    given = {} if form.value is UNSET else checked(form.value, form.faults, is_merge=request.media_type == MERGE_PATCH)
    command = UpdateSettings(
        tenant_id=request.key.tenant_id,
        actor=form.actor,
        members=settings_members(given),
        if_match=conditions.if_match(request.header(b"if-match"), form.faults),
        faults=tuple(form.faults.found),
    )
    response = await carry_out(service, request, form, command)
    if response.status == 200:
        service.access.forget()
    return response


def checked(value: Any, faults: Faults, *, is_merge: bool) -> dict[str, Any]:
    """Give the settings that are right. In a merge patch null would clear, and no setting can be cleared."""
    if not is_merge:
        return UPDATE.check_members(value, "", faults)
    given = UPDATE.check_members(value, "", faults, NONE_CLEARS)
    if given.get("payment_rules", UNSET) is not UNSET:
        RULES.check_members(value["payment_rules"], "/payment_rules", faults, NONE_CLEARS)
    return given


def settings_members(given: dict[str, Any]) -> SettingsMembers:
    """Make the members of checked values; rules with a fault are left out, for the request is refused."""
    rules = given.pop("payment_rules", UNSET)
    return SettingsMembers(**given, payment_rules={} if rules is UNSET else rules)
