"""How a path names a payment: by its id, or by its external reference, in one channel where the query gives one."""

from owed.api import query
from owed.api.fields import Faults, Pattern
from owed.api.messages import Request
from owed.api.problems import Refusal
from owed.api.service import Service
from owed.core.changing_payments import no_payment
from owed.core.state import Name, is_name
from owed.model.identifiers import PAYMENT
from owed.model.payment import Payment, name_in_channel


def word(description: str, example: str) -> Pattern:
    """Make the field of a word that programs agree on."""
    return Pattern("[a-z0-9_]{1,40}", 40, "1 to 40 characters of a-z, 0-9 and _", description, example)


CHANNEL = word("The channel that it came through. References are unique in their channel.", "bank_transfer")

IN_CHANNEL = Pattern(
    "[a-z0-9_]{0,40}",
    40,
    "up to 40 characters of a-z, 0-9 and _",
    "The channel in which the reference of the path is looked for; an empty one is that of the payments without one.",
    "bank_transfer",
)

PARAMETERS = ("channel",)
"""The parameters of a route that names a payment."""


def channel_of(given: dict[str, str], faults: Faults) -> str | None:
    """Give the channel in which the reference of a path is looked for, None where any will do.

    Args:
        given: The parameters of the query.
    """
    channel = given.get("channel")
    if channel is None:
        return None
    is_right = type(IN_CHANNEL.check(channel, query.place("channel"), faults)) is str
    return channel if is_right else None


async def find_payment(service: Service, request: Request, channel: str | None) -> Payment:
    """Find the payment of a path by id or external reference.

    Raises:
        Refusal: There is none.
    """
    name = await payment_name(service, request, channel)
    found: Payment | None = await service.lookups.find(Name(Payment.kind, request.key.tenant_id, name))
    if found is None:
        raise Refusal(no_payment(name or request.arguments[0]))
    return found


async def payment_name(service: Service, request: Request, channel: str | None) -> str:
    """Give what a path calls a payment: an id, or a reference, in one channel where one is given. An id goes first."""
    name = request.arguments[0]
    if not is_name(name):
        return ""  # nothing is called so
    if channel is None:
        return name
    if name.startswith(PAYMENT):
        found = await service.lookups.find(Name(Payment.kind, request.key.tenant_id, name))
        if found is not None and found.id == name:
            return name
    return name_in_channel(name, channel)
