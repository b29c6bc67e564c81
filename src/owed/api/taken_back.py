"""Refunds and reversals over HTTP: what takes a payment back (contract, section 6)."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import UNSET

from owed.api import conditions, query
from owed.api.commands import Form, carry_out, read_form
from owed.api.composites import Items, Object
from owed.api.fields import Choice, Faults, Field, Integer, Moment, Pattern, Text
from owed.api.filters import Filters
from owed.api.forms import LASTING_METADATA, ours, usable
from owed.api.lists import Listing
from owed.api.messages import Request, Response
from owed.api.payment_names import IN_CHANNEL, PARAMETERS, channel_of, find_payment, payment_name
from owed.api.payments import MOST_APPLICATIONS, reference, sum_faults
from owed.api.problems import Refusal
from owed.api.resource import shown
from owed.api.service import Service
from owed.core.outcomes import Fault, not_found
from owed.core.state import NAME, Name
from owed.core.taking_back import Portion, RefundPayment, ReversePayment, TakeBack
from owed.model import search
from owed.model.payment import MAX_PAYMENT
from owed.model.taken_back import ReversalReason, TakenBack

SIZE = 128 * 1024
"""Bytes that one counts for in a batch: what it writes depends on the payment, which is not read yet."""

WANTED = Object(
    {
        "id": Pattern(
            NAME, 255, "the id of an application", "Of the application, `ob_…`.", "ob_0Nn4c3kXq1J8eY2bT5vR7s"
        ),
        "amount": Integer(1, MAX_PAYMENT, "What to take of it, in minor units.", 500),
    },
    dict,
    "What to take of one application.",
    required=("id", "amount"),
)


class TakingBack:
    """One way to take a payment back.

    Args:
        command: Does it.
        members: Those that only this way has.
        required: Members that must be given.
    """

    def __init__(self, command: type[TakeBack], members: Mapping[str, Field], required: tuple[str, ...] = ()) -> None:
        self.kind = command.makes.kind
        self.form = Object(
            {
                **ours("id", "payment_id", "currency", "created_at"),
                "amount": Integer(1, MAX_PAYMENT, "What to take back, in minor units; all that is left.", 500),
                "applications": Items(
                    WANTED, MOST_APPLICATIONS, "What to take of which application; the newest first, if not given."
                ),
                "external_reference": reference(f"the {self.kind}, unique among your {self.kind}s", "RET1234567890"),
                **members,
                "metadata": LASTING_METADATA,
            },
            dict,
            f"What the {self.kind} is of. Without `amount` and `applications`, all that is left of the payment.",
            required=required,
        )
        self.list = Listing(self.kind, Filters({}, beside={"channel": IN_CHANNEL}))
        self._command = command

    async def create(self, service: Service, request: Request) -> Response:
        """POST: take a payment back, or a part of it."""
        form = read_form(request, may_be_empty=True, parameters=PARAMETERS)
        name = await payment_name(service, request, channel_of(form.parameters, form.faults))
        command = self._command_of(request, form, name)
        return await carry_out(service, request, form, command, moves_money=True, size=SIZE)

    async def retrieve(self, service: Service, request: Request) -> Response:
        """GET: retrieve what took a payment back, by id or external reference."""
        faults = Faults()
        given = query.note_unknown(request, faults, PARAMETERS)
        payment = await find_payment(service, request, channel_of(given, faults))
        name = request.arguments[1]
        found: TakenBack | None = await service.lookups.find(Name(self.kind, request.key.tenant_id, name))
        if found is None or found.payment_id != payment.id:
            raise Refusal(not_found(self.kind, name))
        query.refuse_faulty(faults)
        return shown(request, found)

    async def list_all(self, service: Service, request: Request) -> Response:
        """GET: list what took a payment back, newest first."""
        given = dict(query.parameters(request, Faults()))  # the list reads them too, and notes their faults
        payment = await find_payment(service, request, channel_of(given, Faults()))
        return await self.list.respond(service, request, search.owner_term(payment.id))

    def read(self, value: Any, faults: Faults) -> dict[str, Any]:
        """Read what is taken back, as far as it is right, and note every fault of the rest."""
        given = self.form.check_members(value, "", faults)
        wanted = given.pop("applications", UNSET)
        if wanted is UNSET:
            return usable(given)
        faults.found += application_faults(wanted, given.get("amount", UNSET))
        return {"portions": tuple(portions_of(wanted)), **usable(given)}

    def _command_of(self, request: Request, form: Form, payment: str) -> TakeBack:
        if_match = conditions.if_match(request.header(b"if-match"), form.faults)
        given = {} if form.value is UNSET else self.read(form.value, form.faults)
        return self._command(
            tenant_id=request.key.tenant_id,
            actor=form.actor,
            payment=payment,
            if_match=if_match,
            faults=tuple(form.faults.found),
            **given,
        )


def application_faults(wanted: list[dict[str, Any]], amount: Any) -> Iterator[Fault]:
    """Yield what is wrong with the parts that are wanted, beside each other and beside the amount of all."""
    seen: dict[str, int] = {}
    for place, part in enumerate(wanted):
        name = part.get("id", UNSET)
        if name is not UNSET and seen.setdefault(name, place) != place:
            yield Fault(
                f"/applications/{place}/id", f"This is the same as /applications/{seen[name]}/id; give it once."
            )
    yield from sum_faults(wanted, amount)


def portions_of(wanted: list[dict[str, Any]]) -> Iterator[Portion]:
    """Yield what is wanted of each application, as far as the form is right."""
    for place, part in enumerate(wanted):
        if UNSET not in (part.get("id", UNSET), part.get("amount", UNSET)):
            yield Portion(part["id"], part["amount"], f"/applications/{place}")


REFUNDS = TakingBack(RefundPayment, {"reason": Text(255, "Why the money is given back.", "paid twice")})
REVERSALS = TakingBack(
    ReversePayment,
    {
        "reason": Choice(tuple(ReversalReason), "Why the money never was good.", ReversalReason.DISHONOURED.value),
        "occurred_at": Moment("When it happened, where that was before now.", "2026-02-03T07:15:00Z"),
    },
    required=("reason",),
)
