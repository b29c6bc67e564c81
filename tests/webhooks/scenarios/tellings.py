"""What an event tells, as a receiver reads it: signed, of one object, in the words of the contract."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from standardwebhooks import Webhook, WebhookVerificationError

from tests.contract.client import Json
from tests.webhooks.receiver import Request

APPLIED: Final = "obligation.amount_applied"


class Told(NamedTuple):
    """What an event tells."""

    type: str
    data: Json


def applied(payment: Json, number: int = 0) -> Told:
    """Give what is told of one application of a payment, as the contract has it."""
    of_the_payment = {
        "currency": payment["currency"],
        "payment_id": payment["id"],
        "metadata": payment.get("metadata", {}),
        "created_at": payment["created_at"],
        "updated_at": payment["created_at"],
    }
    return Told(APPLIED, payment["applications"][number] | of_the_payment)


def told_by(request: Request) -> Told:
    """Read what a request tells."""
    body = json.loads(request.body)
    assert [name for name in body if name != "redacted"] == ["id", "type", "data"]
    assert body["id"] == event_of(request)
    return Told(body["type"], body["data"])


def event_of(request: Request) -> str:
    """Give the id of the event that a request is about."""
    return request.headers["webhook-id"]


def object_of(told: Told) -> str:
    """Give the id of what the event happened to."""
    if not told.type.startswith("obligation."):
        return str(told.data["id"])
    (name,) = {"bill_id", "account_id", "customer_id"} & set(told.data)
    return str(told.data[name])


def by_object(tellings: Iterable[Told]) -> dict[str, list[Told]]:
    """Sort what was told by object; of each, in the order in which it was told."""
    sorted_out: dict[str, list[Told]] = defaultdict(list)
    for told in tellings:
        sorted_out[object_of(told)].append(told)
    return dict(sorted_out)


def verifies(secret: str, request: Request) -> bool:
    """Verify a request as any merchant would: with the public package, and nothing of ours."""
    try:
        Webhook(secret).verify(request.body, request.headers)
    except WebhookVerificationError:
        return False
    return True


def summed_up(tellings: dict[str, list[Told]]) -> str:
    """Name what was told of each object, in few words."""
    return json.dumps({name: [(told.type, told.data["id"]) for told in each] for name, each in tellings.items()})
