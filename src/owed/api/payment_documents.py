"""Documents of payments over HTTP: what changes a payment, made, retrieved and listed under it (section 6)."""

from typing import Any

from msgspec import UNSET

from owed.api import conditions, query
from owed.api.commands import Form, carry_out, read_form
from owed.api.composites import Object
from owed.api.fields import Faults
from owed.api.filters import Filters
from owed.api.forms import usable
from owed.api.lists import Listing
from owed.api.messages import Request, Response
from owed.api.payment_names import IN_CHANNEL, PARAMETERS, channel_of, find_payment, payment_name
from owed.api.problems import Refusal
from owed.api.resource import shown
from owed.api.service import Service
from owed.core.changing_payments import ChangePayment
from owed.core.outcomes import not_found
from owed.core.state import Name
from owed.model import search
from owed.model.payment_document import PaymentDocument

SIZE = 128 * 1024
"""Bytes that one counts for in a batch: what it writes depends on the payment, which is not read yet."""


class PaymentDocuments:
    """One way to change a payment.

    Args:
        command: Does it.
        form: What a request for it may be.
        may_be_empty: Whether a request needs no body.
    """

    def __init__(self, command: type[ChangePayment[Any]], form: Object, *, may_be_empty: bool = False) -> None:
        self.kind, self.form, self.command = command.makes.kind, form, command
        self.list = Listing(self.kind, Filters({}, beside={"channel": IN_CHANNEL}))
        self._may_be_empty = may_be_empty

    async def create(self, service: Service, request: Request) -> Response:
        """POST: change a payment."""
        form = read_form(request, may_be_empty=self._may_be_empty, parameters=PARAMETERS)
        name = await payment_name(service, request, channel_of(form.parameters, form.faults))
        command = self._command_of(request, form, name)
        return await carry_out(service, request, form, command, moves_money=True, size=SIZE)

    async def retrieve(self, service: Service, request: Request) -> Response:
        """GET: retrieve what changed a payment, by id or external reference."""
        faults = Faults()
        given = query.note_unknown(request, faults, PARAMETERS)
        payment = await find_payment(service, request, channel_of(given, faults))
        name = request.arguments[1]
        found: PaymentDocument | None = await service.lookups.find(Name(self.kind, request.key.tenant_id, name))
        if found is None or found.payment_id != payment.id:
            raise Refusal(not_found(self.kind, name))
        query.refuse_faulty(faults)
        return shown(request, found)

    async def list_all(self, service: Service, request: Request) -> Response:
        """GET: list what changed a payment, newest first."""
        given = dict(query.parameters(request, Faults()))  # the list reads them too, and notes their faults
        payment = await find_payment(service, request, channel_of(given, Faults()))
        return await self.list.respond(service, request, search.owner_term(payment.id))

    def read(self, value: Any, faults: Faults) -> dict[str, Any]:
        """Read what is asked for, as far as it is right, and note every fault of the rest."""
        return usable(self.form.check_members(value, "", faults))

    def _command_of(self, request: Request, form: Form, payment: str) -> ChangePayment[Any]:
        if_match = conditions.if_match(request.header(b"if-match"), form.faults)
        given = {} if form.value is UNSET else self.read(form.value, form.faults)
        return self.command(
            tenant_id=request.key.tenant_id,
            actor=form.actor,
            payment=payment,
            if_match=if_match,
            faults=tuple(form.faults.found),
            **given,
        )
