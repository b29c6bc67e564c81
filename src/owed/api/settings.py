"""A merchant's settings over HTTP, those of the key's mode (contract, section 5)."""

from typing import Any

from msgspec import UNSET

from owed.api import query
from owed.api.commands import carry_out, read_form
from owed.api.composites import NOTHING, Object
from owed.api.fields import Boolean, Integer, Text
from owed.api.forms import BILL_RULES, PAYMENT_RULES
from owed.api.messages import MERGE_PATCH, Request, Response
from owed.api.resource import shown, update
from owed.api.service import Service
from owed.core.settings import SettingsMembers, settings_of
from owed.model.tenant_settings import MOST_DUPLICATE_MINUTES, SettingsRecord

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
        "payments_reduce_balance": Boolean(
            "Whether what is paid to the balance of a customer or an account lowers it. With false it stays until you "
            "send the new one; it is for those whose own system subtracts payments."
        ),
        "duplicate_minutes": Integer(
            0,
            MOST_DUPLICATE_MINUTES,
            "For how many minutes after a payment another of the same amount, to the same bill or balance and by the "
            "same channel, shows as `possible_duplicate_of` it; 0 is never.",
            10,
        ),
    },
    dict,
    "The settings to change.",
)


async def retrieve_settings(service: Service, request: Request) -> Response:
    """GET /billing/settings: retrieve the settings."""
    query.refuse_any(request)
    return shown(request, await service.lookups.find(settings_of(request.key.tenant_id)))


async def update_settings(service: Service, request: Request) -> Response:
    """PATCH /billing/settings: change the given settings, in force at once here, and soon on every other worker."""
    form = read_form(request)
    clearable = NOTHING if request.media_type == MERGE_PATCH else None
    members = settings_members(form.members(UPDATE, clearable))
    command = update(request, form, members, SettingsRecord.id)
    response = await carry_out(service, request, form, command)
    if response.status == 200:
        service.access.forget()
    return response


def settings_members(checked: dict[str, Any]) -> SettingsMembers:
    """Make the members of checked values; those with a fault are left out, for the request is refused."""
    return SettingsMembers(**{name: value for name, value in checked.items() if value is not UNSET})
