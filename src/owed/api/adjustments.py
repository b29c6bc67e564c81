"""Charges and credits over HTTP: what raises or lowers what is owed on one object by an amount."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from msgspec import UNSET

from owed.api import conditions, query
from owed.api.commands import Form, carry_out, read_form
from owed.api.composites import Object
from owed.api.fields import Choice, Faults, Field, Integer, Moment, Text
from owed.api.filters import Filters
from owed.api.forms import LASTING_METADATA, currency, ours, usable
from owed.api.lists import Listing
from owed.api.messages import Request, Response
from owed.api.payments import reference
from owed.api.problems import Refusal
from owed.api.resource import shown
from owed.api.service import Service
from owed.core.adjusting import Adjust, ChargeBalance, CreditBalance, CreditBill
from owed.core.outcomes import not_found
from owed.core.reversing_adjustments import ReverseAdjustment
from owed.core.state import Name
from owed.model import search
from owed.model.account import Account
from owed.model.adjustment import Adjustment, CreditType
from owed.model.bill import Bill
from owed.model.billing_object import BillingObject
from owed.model.customer import Customer
from owed.model.money import MAX_TOTAL
from owed.model.payment import MAX_PAYMENT

NOTHING = Object({}, dict, "There is nothing to say.")

FLOOR = Integer(
    -MAX_TOTAL,
    MAX_TOTAL,
    "The credit that must be left, in minor units: 0 lets all of it be used up, a negative one lets so much be owed. "
    "Without it, any amount is charged.",
    0,
)

TYPE = Choice(tuple(CreditType), "What it is, which says where the ledger has it.", CreditType.DISCOUNT.value)

NONE: Mapping[str, Field] = MappingProxyType({})


class Adjusting:
    """The charges, or the credits, on one kind of object.

    Args:
        command: Makes one.
        object_kind: Of the object.
        members: Those that only this kind has.
        required: Those of them that must be given.
    """

    def __init__(
        self,
        command: type[Adjust],
        object_kind: str,
        members: Mapping[str, Field] = NONE,
        required: tuple[str, ...] = (),
    ) -> None:
        self.kind, self.object_kind = command.makes.kind, object_kind
        self.form = Object(
            {
                **ours("id", "customer_id", "account_id", "bill_id", "balance_after", "total_after", "reversed_at"),
                **ours("created_at"),
                **members,
                "amount": Integer(1, MAX_PAYMENT, f"What to {self.kind}, in the currency's smallest unit.", 500),
                "currency": currency(
                    f"That of the {object_kind}, unless it has none yet: then this becomes it. It need not be given "
                    f"where there is one."
                ),
                "reason": Text(255, "Why, in your own words.", "0.8 kWh"),
                "external_reference": reference(f"the {self.kind}, unique among your {self.kind}s", "ADJ1234567890"),
                "occurred_at": Moment("When it happened, where that was before now.", "2026-01-30T18:00:00Z"),
                "metadata": LASTING_METADATA,
            },
            dict,
            f"A {self.kind} on {'an' if object_kind == 'account' else 'a'} {object_kind}.",
            required=(*required, "amount"),
        )
        self.list = Listing(self.kind, Filters({}))
        self.command = command

    async def create(self, service: Service, request: Request) -> Response:
        """POST: change what is owed on an object by an amount."""
        form = read_form(request)
        return await carry_out(service, request, form, self._command_of(request, form), moves_money=True)

    async def retrieve(self, service: Service, request: Request) -> Response:
        """GET: retrieve a charge or a credit, by id or external reference, under what it is on."""
        item, name = await self._item(service, request), request.arguments[1]
        found: Adjustment | None = await service.lookups.find(Name(self.kind, request.key.tenant_id, name))
        if found is None or found.object_id != item.id:
            raise Refusal(not_found(self.kind, name))
        query.refuse_any(request)
        return shown(request, found)

    async def list_all(self, service: Service, request: Request) -> Response:
        """GET: list the charges or the credits on an object, newest first."""
        item = await self._item(service, request)
        return await self.list.respond(service, request, search.owner_term(item.id))

    async def reverse(self, service: Service, request: Request) -> Response:
        """POST …/reverse: undo a charge or a credit, all of it. There is nothing to say in a body."""
        form = read_form(request, may_be_empty=True)
        form.members(NOTHING)
        if_match = conditions.if_match(request.header(b"if-match"), form.faults)
        command = ReverseAdjustment(
            tenant_id=request.key.tenant_id,
            actor=form.actor,
            object_kind=self.object_kind,
            object_name=request.arguments[0],
            kind=self.kind,
            name=request.arguments[1],
            if_match=if_match,
            faults=tuple(form.faults.found),
        )
        return await carry_out(service, request, form, command)

    def read(self, value: Any, faults: Faults) -> dict[str, Any]:
        """Read the members that are right, and note every fault of the others."""
        given = usable(self.form.check_members(value, "", faults))
        if "type" in given:
            given["type"] = CreditType(given["type"])
        return given

    def _command_of(self, request: Request, form: Form) -> Adjust:
        if_match = conditions.if_match(request.header(b"if-match"), form.faults)
        given = {} if form.value is UNSET else self.read(form.value, form.faults)
        return self.command(
            tenant_id=request.key.tenant_id,
            actor=form.actor,
            object_kind=self.object_kind,
            name=request.arguments[0],
            if_match=if_match,
            faults=tuple(form.faults.found),
            **given,
        )

    async def _item(self, service: Service, request: Request) -> BillingObject:
        """Find the object of a path by id or external reference.

        Raises:
            Refusal: There is none.
        """
        name = request.arguments[0]
        found: BillingObject | None = await service.lookups.find(Name(self.object_kind, request.key.tenant_id, name))
        if found is None:
            raise Refusal(not_found(self.object_kind, name))
        return found


CUSTOMER_CHARGES = Adjusting(ChargeBalance, Customer.kind, {"floor": FLOOR})
ACCOUNT_CHARGES = Adjusting(ChargeBalance, Account.kind, {"floor": FLOOR})
CUSTOMER_CREDITS = Adjusting(CreditBalance, Customer.kind)
ACCOUNT_CREDITS = Adjusting(CreditBalance, Account.kind)
BILL_CREDITS = Adjusting(CreditBill, Bill.kind, {"type": TYPE}, required=("type",))

WAYS = (CUSTOMER_CHARGES, CUSTOMER_CREDITS, ACCOUNT_CHARGES, ACCOUNT_CREDITS, BILL_CREDITS)
"""All charges and credits that there are."""
