"""Erasure over HTTP: a person is taken out of a customer, its accounts, and what was told of them (docs/privacy.md)."""

import msgspec

from owed.api import conditions
from owed.api.commands import Form, carry_out, read_form, render, response
from owed.api.composites import Object
from owed.api.messages import Request, Response
from owed.api.problems import refusal
from owed.api.service import Service
from owed.core.erasing import Erase
from owed.core.outcomes import Code
from owed.core.preconditions import IfMatch, stale
from owed.core.state import Name
from owed.engine.pending import Reply
from owed.engine.store import Conflict, Unavailable
from owed.model.account import Account
from owed.model.customer import Customer

AT_ONCE = 100
"""Accounts that are erased in one transaction."""

WRITTEN = 2_000
"""Bytes that the erasure of one object may write, about."""

ERASURE = Object({}, dict, "Nothing: no member is needed, and none is taken.")

UNFINISHED = (
    "The customer is erased, and what was told of it before is still being redacted. Retry with the same "
    "Idempotency-Key, to know when that is done."
)


async def erase_customer(service: Service, request: Request) -> Response:
    """POST /billing/customers/{customer}/erase: erase a person, and answer when all is redacted. No body is needed."""
    form = read_form(request, may_be_empty=True)
    form.members(ERASURE)
    if_match = conditions.if_match(request.header(b"if-match"), form.faults)
    (name,) = request.arguments
    customer: Customer | None = await service.lookups.find(Name(Customer.kind, request.key.tenant_id, name))
    accounts = await accounts_of(service, customer)
    if customer and not form.faults.found and not stale(if_match, customer.version):
        while len(accounts) > AT_ONCE:
            some, accounts = accounts[:AT_ONCE], accounts[AT_ONCE:]
            reply = await erase_some(service, request, form, customer, some)
            if reply.answer.status != 200:
                return response(reply)
    subject = Name(Customer.kind, request.key.tenant_id, customer.id if customer else name)
    command = erasure(request, form, subject.text, (subject, *accounts), if_match)
    answered = await carry_out(service, request, form, command, size=WRITTEN * len(command.objects))
    if answered.status == 200:
        await finish(service, request.key.tenant_id, msgspec.json.decode(answered.body)["id"])
    return answered


async def accounts_of(service: Service, customer: Customer | None) -> tuple[Name, ...]:
    """Name the accounts of a customer."""
    if customer is None:
        return ()
    found = await service.redaction.accounts_of(customer.tenant_id, customer.id)
    return tuple(Name(Account.kind, customer.tenant_id, each) for each in found)


async def erase_some(
    service: Service, request: Request, form: Form, customer: Customer, accounts: tuple[Name, ...]
) -> Reply:
    """Erase some accounts of a customer that has many, before it is erased itself: until then a retry finds it."""
    command = erasure(request, form, customer.id, accounts, None)
    size = WRITTEN * len(accounts)
    return await service.engine.submit(command, lambda outcome: render(request, outcome), None, request.id, size)


def erasure(request: Request, form: Form, subject: str, objects: tuple[Name, ...], if_match: IfMatch) -> Erase:
    """Make the command that erases some objects."""
    return Erase(
        tenant_id=request.key.tenant_id,
        actor=form.actor,
        subject=subject,
        objects=objects,
        if_match=if_match,
        faults=tuple(form.faults.found),
    )


async def finish(service: Service, tenant_id: int, customer_id: str) -> None:
    """Redact what was told of a customer before it was erased.

    Raises:
        Refusal: The database went away; it will be done all the same.
    """
    try:
        await service.redaction.finish(tenant_id, customer_id)
    except (Unavailable, Conflict) as error:
        raise refusal(Code.UNAVAILABLE, UNFINISHED, retry_after="1") from error
