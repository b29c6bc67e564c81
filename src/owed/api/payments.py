"""Payments over HTTP (contract, section 6)."""

import asyncio
from collections.abc import Iterator
from typing import Any

from msgspec import UNSET

from owed.api import query
from owed.api.commands import Form, carry_out, read_form
from owed.api.composites import Items, Object
from owed.api.fields import Boolean, Choice, Faults, Field, Integer, Moment, Pattern, Text
from owed.api.filters import Filters
from owed.api.forms import LASTING_METADATA, currency, ours, usable
from owed.api.idempotency import check_key
from owed.api.lists import Listing
from owed.api.messages import Request, Response, json_response
from owed.api.payment_names import CHANNEL, PARAMETERS, channel_of, find_payment, word
from owed.api.problems import Refusal
from owed.api.resource import shown
from owed.api.service import Service
from owed.core.journal import Rehearsal
from owed.core.outcomes import Fault, Refused
from owed.core.payments import Pay
from owed.core.state import NAME, State
from owed.core.targets import Target
from owed.model import search
from owed.model.payment import MAX_PAYMENT, Payment, PaymentStatus

MOST_APPLICATIONS = 100
KINDS = ("bill", "account", "customer")

AMOUNT = Integer(1, MAX_PAYMENT, "The amount that came in, in the currency's smallest unit.", 2000)

CURRENCY = currency("The currency of the money, which must be that of everything it pays.")

TARGETS: dict[str, Field] = {
    "bill": Pattern(NAME, 255, "an id or an external reference", "The bill that is paid.", "INV1234567890"),
    "account": Pattern(
        NAME, 255, "an id or an external reference", "The account whose balance is paid.", "UAR1234567890"
    ),
    "customer": Pattern(
        NAME, 255, "an id or an external reference", "The customer whose balance is paid.", "UCR1234567890"
    ),
}


def reference(whose: str, example: str) -> Pattern:
    """Make the field of an external reference that may begin with anything."""
    right = "1 to 255 characters of A-Z, a-z, 0-9, _ and -"
    return Pattern("[a-zA-Z0-9_-]+", 255, right, f"Your own reference of {whose}. It never changes.", example)


METHOD = word("How the payer paid.", "eft")

APPLICATION = Object(
    {**TARGETS, "amount": Integer(1, MAX_PAYMENT, "What of the payment goes there, in minor units.", 1000)},
    dict,
    "What is paid, and with how much: one of `bill`, `account` and `customer`, and `amount`.",
    required=("amount",),
)

PAYMENT_FORM = Object(
    {
        **ours("id", "status", "amount_refunded", "amount_reversed", "amount_unallocated"),
        **ours("customer_id", "account_id", "bill_id", "possible_duplicate_of"),
        **ours("unallocated_customer_id", "rule_breaches", "created_at"),
        "amount": AMOUNT,
        "currency": CURRENCY,
        **TARGETS,
        "applications": Items(
            APPLICATION,
            MOST_APPLICATIONS,
            "All that is paid, where it is more than one thing. The amounts add up to `amount`; all pass or none. Of "
            "received money they may add up to less, and there may be none.",
            least=0,
        ),
        "received": Boolean(
            "Whether the money is in the bank already: then no rule refuses it, and what fits nowhere is unallocated. "
            "`customer` beside something else says whose that is."
        ),
        "external_reference": Pattern(
            "(?!check$)[a-zA-Z0-9_-]+",
            255,
            "1 to 255 characters of A-Z, a-z, 0-9, _ and -, and must not be check, which is a route",
            "Your own reference of the payment, unique in its channel. It never changes.",
            "PAY1234567890",
        ),
        "channel": CHANNEL,
        "method": METHOD,
        "provider_reference": Text(255, "What the provider of the payment calls it.", "8812-4471"),
        "paid_at": Moment("When the payer paid, where that was before now.", "2026-01-31T09:30:00Z"),
        "metadata": LASTING_METADATA,
    },
    dict,
    "A payment. It goes to one `bill`, `account` or `customer`, or to several `applications`.",
    required=("amount", "currency"),
)

LIST = Listing(
    Payment.kind,
    Filters(
        {
            "channel": (CHANNEL, search.channel_term),
            "method": (METHOD, search.method_term),
            "status": (
                Choice(tuple(PaymentStatus), "How the payment stands.", PaymentStatus.SUCCEEDED.value),
                lambda status: "" if status == PaymentStatus.SUCCEEDED else search.status_term(status),
            ),
            "possible_duplicates": (
                Choice(("true",), "Only those that look like a payment just before them.", "true"),
                lambda _: search.POSSIBLE_DUPLICATE,
            ),
        },
        owners=KINDS,
        are_paid=True,
    ),
)


async def create_payment(service: Service, request: Request) -> Response:
    """POST /billing/payments: take a payment, all of it or nothing."""
    form = read_form(request)
    payment = payment_of(request, form)
    size = len(request.body) * max(1, len(payment.targets))  # its metadata is told of each application
    return await carry_out(service, request, form, payment, moves_money=True, size=size)


async def check_payment(service: Service, request: Request) -> Response:
    """POST /billing/payments/check: say whether a payment would be taken, and what it would do; do nothing."""
    form = read_form(request)
    check_key(request, form.faults)
    payment = payment_of(request, form)
    found = await asyncio.gather(*map(service.lookups.find, payment.reads()))
    state = State(item for item in found if item is not None)
    stamp, settings = service.engine.stamp(), request.key.settings
    checked = payment.check(state, Rehearsal(payment.tenant_id, payment.actor, stamp, settings))
    if isinstance(checked, Refused):
        raise Refusal(checked)
    return json_response(checked)


async def retrieve_payment(service: Service, request: Request) -> Response:
    """GET /billing/payments/{payment}: retrieve a payment by id or external reference."""
    faults = Faults()
    given = query.note_unknown(request, faults, PARAMETERS)
    payment = await find_payment(service, request, channel_of(given, faults))
    query.refuse_faulty(faults)
    return shown(request, payment)


def payment_of(request: Request, form: Form) -> Pay:
    """Make the command of a request for a payment."""
    given = {} if form.value is UNSET else read_payment(form.value, form.faults)
    return Pay(tenant_id=request.key.tenant_id, actor=form.actor, faults=tuple(form.faults.found), **given)


def read_payment(value: Any, faults: Faults) -> dict[str, Any]:
    """Read what a payment is made of, as far as it is right, and note every fault of the rest."""
    given = PAYMENT_FORM.check_members(value, "", faults)
    if type(value) is dict:
        faults.found += form_faults(given)
    plain = usable({name: given[name] for name in PLAIN & given.keys()})
    if given.get("received") is not True:
        return {"targets": tuple(targets_of(given)), **plain}
    owner = given.pop("customer", UNSET) if is_owned(given) else UNSET
    targets = tuple(targets_of(given))
    return {"targets": targets, "is_received": True, "owner": None if owner is UNSET else owner, **plain}


PLAIN = frozenset(
    {
        "amount", "currency", "external_reference", "channel", "method", "provider_reference", "paid_at", "metadata",
    }
)  # fmt: skip
"""Members that a payment takes as they are given."""


def form_faults(given: dict[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with the members of a payment beside each other."""
    ways, is_received = [name for name in (*KINDS, "applications") if name in given], given.get("received") is True
    if not ways and not is_received:
        yield Fault("", "A payment goes somewhere: give `bill`, `account`, `customer` or `applications`.")
    if is_received and is_owned(given):
        ways.remove("customer")
    for name in ways[1:]:
        yield Fault(f"/{name}", f"Leave this out, as `{ways[0]}` is given: a payment goes one way.")
    if (applications := given.get("applications", UNSET)) is UNSET:
        return
    if not applications and not is_received:
        yield Fault("/applications", f"This must have 1 to {MOST_APPLICATIONS} items, not 0.")
    elif is_received:
        yield from each_faults(applications)
        yield from excess_faults(applications, given.get("amount", UNSET))
    else:
        yield from application_faults(applications, given.get("amount", UNSET))


def is_owned(given: dict[str, Any]) -> bool:
    """Tell whether a customer is named beside what is paid: then the customer is whose the rest of the money is."""
    return "customer" in given and not given.keys().isdisjoint({"bill", "account", "applications"})


def application_faults(applications: list[dict[str, Any]], amount: Any) -> Iterator[Fault]:
    """Yield what is wrong with applications beside each other, and beside the amount of all."""
    yield from each_faults(applications)
    yield from sum_faults(applications, amount)


def each_faults(applications: list[dict[str, Any]]) -> Iterator[Fault]:
    """Yield a fault for each application that does not name one thing."""
    for place, application in enumerate(applications):
        if sum(kind in application for kind in KINDS) != 1:
            yield Fault(f"/applications/{place}", "Give one of `bill`, `account` and `customer`, and `amount`.")


def excess_faults(applications: list[dict[str, Any]], amount: Any) -> Iterator[Fault]:
    """Yield the fault of received money that is less than its applications add up to."""
    amounts = [application.get("amount", UNSET) for application in applications]
    if amount is not UNSET and UNSET not in amounts and sum(amounts) > amount:
        yield Fault("/amount", f"This must be at least what the applications add up to, {sum(amounts)}.")


def sum_faults(applications: list[dict[str, Any]], amount: Any) -> Iterator[Fault]:
    """Yield the fault of an amount that is not what its applications add up to."""
    amounts = [application.get("amount", UNSET) for application in applications]
    if amount is not UNSET and UNSET not in amounts and sum(amounts) != amount:
        yield Fault("/amount", f"This must be what the applications add up to, {sum(amounts)}.")


def targets_of(given: dict[str, Any]) -> Iterator[Target]:
    """Yield what is paid, and with how much, as far as the form is right."""
    parts = [("", given)]
    if given.get("applications", UNSET) is not UNSET:
        parts += [(f"/applications/{place}", part) for place, part in enumerate(given["applications"])]
    for at, part in parts:
        amount = part.get("amount", UNSET)
        for kind in KINDS if amount is not UNSET else ():
            if part.get(kind, UNSET) is not UNSET:
                yield Target(kind, part[kind], amount, f"{at}/{kind}", f"{at}/amount")
