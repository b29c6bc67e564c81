"""Customers over HTTP, one at a time (contract, section 2)."""

from typing import Any

import msgspec
from msgspec import UNSET

from owed.api import conditions, query
from owed.api.commands import Form, carry_out, read_form
from owed.api.customer_fields import CLEARABLE, CREATE, UPDATE
from owed.api.messages import JSON, MERGE_PATCH, Request, Response
from owed.api.problems import Refusal
from owed.api.service import Service
from owed.core.customers import KIND, CreateCustomer, CustomerMembers, UpdateCustomer
from owed.core.outcomes import not_found


async def create_customer(service: Service, request: Request) -> Response:
    """POST /billing/customers: create a customer."""
    form = read_form(request)
    members = CustomerMembers() if form.value is UNSET else given(CREATE.check_members(form.value, "", form.faults))
    rules = request.key.settings.payment_rules.customer
    faults = tuple(form.faults.found)
    command = CreateCustomer(request.key.tenant_id, form.actor, members, rules, faults)
    return await carry_out(service, request, form, command)


async def update_customer(service: Service, request: Request) -> Response:
    """PATCH /billing/customers/{customer}: change the given members."""
    form = read_form(request)
    members = CustomerMembers() if form.value is UNSET else changes(form, request.media_type)
    if_match = conditions.if_match(request.header(b"if-match"), form.faults)
    faults = tuple(form.faults.found)
    (name,) = request.arguments
    command = UpdateCustomer(request.key.tenant_id, form.actor, name, members, if_match, faults)
    return await carry_out(service, request, form, command)


async def retrieve_customer(service: Service, request: Request) -> Response:
    """GET /billing/customers/{customer}: retrieve a customer by id or external reference."""
    (name,) = request.arguments
    customer = await service.lookups.customer(request.key.tenant_id, name)
    if customer is None:
        raise Refusal(not_found(KIND, name))
    query.refuse_any(request)
    tag = conditions.etag(customer.version)
    headers = {"etag": tag, "last-modified": conditions.last_modified(customer.updated_at)}
    if conditions.is_unmodified(request.header(b"if-none-match"), tag):
        return Response(304, headers=headers)
    headers["content-type"] = JSON
    return Response(200, msgspec.json.encode(customer.shown()), headers)


def changes(form: Form, media_type: str) -> CustomerMembers:
    """Read what a PATCH changes. Only a merge patch clears: there null means it, elsewhere it means not given."""
    clearable = CLEARABLE if media_type == MERGE_PATCH else None
    return given(UPDATE.check_members(form.value, "", form.faults, clearable), keeps_nulls=clearable is not None)


def given(members: dict[str, Any], *, keeps_nulls: bool = False) -> CustomerMembers:
    """Make the members of a request; a metadata value of null counts as not given, but in a merge patch."""
    metadata = members.get("metadata", UNSET)
    if metadata is not UNSET and not keeps_nulls:
        members["metadata"] = {key: value for key, value in metadata.items() if value is not None}
    return CustomerMembers(**members)
