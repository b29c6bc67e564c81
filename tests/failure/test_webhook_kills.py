"""Whatever is killed, and however often receivers fail: every event reaches every endpoint, in the order of its object.

`OWED_KILLS` says how many kills there are in all, 20 to a round, beside which some processes are only stopped for a
while; `OWED_SEED` repeats a round that failed.
"""

import os
import random
import secrets
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Final

import pytest

from tests.contract.client import Client
from tests.contract.service import Database, dsn_of
from tests.failure.callers import Field, calling
from tests.failure.deliverers import DECK, KILLS, DeliveringStand, delivering
from tests.failure.deliveries import events_of, faults
from tests.failure.receivers import Receiver, receiving
from tests.failure.stand import told_on_failure, wait_until

ROUNDS = -(-int(os.environ.get("OWED_KILLS", "20")) // len(KILLS))
CALLERS = 4
PAUSE = 0.08
"""Seconds that a caller rests at most: some events are always under way, and few are left to deliver at the end."""
RECOVERED_WITHIN = 30.0
TAKEN_WITHIN = 30.0
"""Seconds within which, when nothing is killed any more, one more event is taken, until none is left."""
SHOWN = 20

ENDPOINTS: Final = "/billing/webhook_endpoints"
SETTINGS: Final = {
    "OWED_WEBHOOK_TIMEOUT": "1",
    # So many that no event uses them up, of which three tenths of the attempts fail.
    "OWED_WEBHOOK_RETRIES": ",".join(["0.05"] * 10 + ["0.2"] * 10 + ["1"] * 10),
    "OWED_WEBHOOK_ORDER_SECONDS": "604800",
}


@pytest.fixture(scope="module")
def stand() -> Iterator[DeliveringStand]:
    with delivering(**SETTINGS) as service:
        yield service


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_every_event_reaches_every_endpoint_in_order_whatever_is_killed(stand: DeliveringStand, number: int) -> None:
    seed = os.environ.get("OWED_SEED") or f"{number}-{secrets.token_hex(4)}"
    story = [f"OWED_SEED={seed} repeats this round"]
    receivers = {name: Receiver(f"{seed}/{name}") for name in ("first", "second")}
    with told_on_failure(stand, story), receiving(receivers) as url:
        if not stand.is_serving():
            stand.start()
        merchant = stand.service.merchant(seed)
        key = merchant.keys["sk_test"]
        with closing(Client(stand.port, key)) as client:
            endpoints = {registered(client, f"{url}/{name}", each): each for name, each in receivers.items()}
            field = Field(stand.port, key, seed)
            with calling([field], CALLERS, PAUSE):
                strike_and_recover(stand, field, receivers, random.Random(seed), story)
            assert field.faults == []
            audit(stand, client, merchant.id, endpoints)


def registered(client: Client, url: str, receiver: Receiver) -> str:
    """Make an endpoint that gets everything, tell its receiver the secret, and give its id."""
    made = client.post(ENDPOINTS, {"url": url, "events": ["*"]})
    assert made.status == 201, made.body
    receiver.secret = made.json()["secret"]
    endpoint: str = made.json()["id"]
    return endpoint


def strike_and_recover(
    stand: DeliveringStand, field: Field, receivers: dict[str, Receiver], dice: random.Random, story: list[str]
) -> None:
    """Deal the whole deck, each blow once all are at work again; every third one sooner."""
    begun = time.monotonic()
    for blow in dice.sample(DECK, len(DECK)):
        got = ", ".join(f"{len(each.taken)} of {len(each.arrivals)}" for each in receivers.values())
        story.append(f"{time.monotonic() - begun:6.1f} s, {len(field.told):5} told, {got} taken: {blow.__name__}")
        blow(stand, dice)
        stand.revive()
        if dice.random() < 1 / 3:
            time.sleep(dice.uniform(0, 0.5))
        else:
            recover(field, receivers, dice)
    recover(field, receivers, dice)


def recover(field: Field, receivers: dict[str, Receiver], dice: random.Random) -> None:
    """Wait until some more is written, and some more is taken by each receiver."""
    is_written = field.wait_for(dice.randint(1, 15), RECOVERED_WITHIN)
    assert not field.faults, field.faults
    assert is_written, f"nothing more is written within {RECOVERED_WITHIN:.0f} s"
    for name, receiver in receivers.items():
        is_taken = receiver.wait_for(dice.randint(1, 15), RECOVERED_WITHIN)
        assert is_taken, f"the {name} receiver has taken no more within {RECOVERED_WITHIN:.0f} s"


def audit(stand: DeliveringStand, client: Client, merchant_id: str, endpoints: dict[str, Receiver]) -> None:
    """Wait until nothing is left to deliver, and look for faults."""
    with closing(Database(dsn_of(stand.service))) as database:
        tenant = database.value("SELECT id FROM tenant WHERE merchant_id = $1 AND mode = 'test'", merchant_id)
        events = events_of(database, tenant)
        for endpoint, receiver in endpoints.items():
            receiver.wait_for_all(set(events), TAKEN_WITHIN)
            wait_until(partial(is_served, client, endpoint), f"{endpoint} is served")
            assert list(faults(database, tenant, endpoint, receiver))[:SHOWN] == []


def is_served(client: Client, endpoint: str) -> bool:
    """Tell whether an endpoint is enabled, and nothing is left to deliver to it."""
    status = client.get(f"{ENDPOINTS}/{endpoint}/status").json()
    return (status["enabled"], status["pending"], status["failed"]) == (True, 0, 0)
