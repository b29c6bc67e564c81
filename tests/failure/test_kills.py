"""Whatever is killed, at whatever moment: each key one effect, each acknowledged write there, each balance its sum.

`OWED_KILLS` says how many kills there are in all, 20 to a round, beside which some processes are only stopped for a
while; `OWED_SEED` repeats a round that failed.
"""

import os
import random
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.client import Client
from tests.contract.service import Database, dsn_of
from tests.failure.audit import faults
from tests.failure.books import Books
from tests.failure.callers import Field, Told, calling, persist
from tests.failure.stand import Stand, standing, told_on_failure, wait_until
from tests.failure.strikes import DECK, KILLS

ROUNDS = -(-int(os.environ.get("OWED_KILLS", "20")) // len(KILLS))
CALLERS_EACH = 8
RECOVERED_WITHIN = 30.0
ASKED_AGAIN = 300
SHOWN = 20
MOVED = {
    ("payment", 201), ("payment", 422), ("received payment", 201), ("refund", 201), ("refund", 409), ("reversal", 201),
    ("reversal", 409), ("allocation", 201), ("allocation", 409), ("move", 201), ("move", 409), ("dated balance", 200),
    ("charge", 201), ("charge", 422), ("credit", 201), ("credit", 409), ("reversed charge", 200),
    ("reversed credit", 200),
}  # fmt: skip
"""What every round must have told of money, or it has shown nothing."""


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """A service with two workers; nobody is there for it to tell of anything."""
    with standing(OWED_DELIVERIES="false") as service:
        yield service


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_each_key_has_one_effect_whatever_is_killed(stand: Stand, number: int) -> None:
    seed = os.environ.get("OWED_SEED") or f"{number}-{secrets.token_hex(4)}"
    story = [f"OWED_SEED={seed} repeats this round"]
    with told_on_failure(stand, story):
        if not stand.is_serving():
            stand.start()
        merchant = stand.service.merchant(seed)
        pass_on(stand, merchant.keys["sk"])
        fields = [Field(stand.port, merchant.keys[kind], f"{kind}-{seed}") for kind in ("sk_test", "sk")]
        with calling(fields, CALLERS_EACH):
            strike_and_recover(stand, fields, random.Random(seed), story)
        assert [fault for field in fields for fault in field.faults] == []
        assert {(told.write.deed, told.status) for field in fields for told in field.told} >= MOVED
        wait_until(lambda: len(stand.workers()) == stand.workers_wanted, "all workers are back")
        for field, mode in zip(fields, ("test", "live"), strict=True):
            assert list(unlike_at_first(field, random.Random(seed)))[:SHOWN] == []
            assert list(faults(books_of(stand, merchant.id, mode), field))[:SHOWN] == []
        assert stand.service.owed("verify", "--settle", "0")["merchants"]


def strike_and_recover(stand: Stand, fields: list[Field], dice: random.Random, story: list[str]) -> None:
    """Deal the whole deck, each blow once the callers are at work again; every fourth one sooner."""
    begun = time.monotonic()
    for strike in dice.sample(DECK, len(DECK)):
        story.append(f"{time.monotonic() - begun:6.1f} s, {len(fields[0].told):5} told: {strike.__name__}")
        strike(stand, dice)
        if dice.random() < 0.25:
            time.sleep(dice.uniform(0, 0.5))
            continue
        wanted = [(field, len(field.told) + dice.randint(1, 60)) for field in fields]
        for field, number in wanted:
            recovered = field.wait_until(number, RECOVERED_WITHIN)
            assert stand.is_serving(), f"owed serve ended after {strike.__name__}"
            assert recovered, f"no recovery within {RECOVERED_WITHIN:.0f} s of {strike.__name__}"
            assert not field.faults, field.faults


def pass_on(stand: Stand, api_key: str) -> None:
    """Let payments leave balances as they are, which takes a second transfer with each."""
    client = Client(stand.port, api_key)
    assert client.patch("/billing/settings", {"payments_reduce_balance": False}).status == 200
    client.close()


def unlike_at_first(field: Field, dice: random.Random) -> Iterator[str]:
    """Ask some keys again, and yield those that do not tell the same, byte for byte; what is kept of all is audited."""
    asked = dice.sample(field.told, min(ASKED_AGAIN, len(field.told)))
    client = Client(field.port, field.api_key)

    def again(told: Told) -> str | None:
        answer = persist(client, told.write, random.Random())
        if Told.of(told.write, answer) == told and answer.headers.get("Idempotent-Replayed") == "true":
            return None
        return f"key {told.write.key}: first {told}, then {answer.status} {answer.body!r} {answer.headers.items()}"

    with ThreadPoolExecutor(8) as pool:
        yield from filter(None, pool.map(again, asked))
    client.close()


def books_of(stand: Stand, merchant_id: str, mode: str) -> Books:
    database = Database(dsn_of(stand.service))
    try:
        of_mode = "SELECT id FROM tenant WHERE merchant_id = $1 AND mode = $2"
        return Books(database, database.value(of_mode, merchant_id, mode))
    finally:
        database.close()
