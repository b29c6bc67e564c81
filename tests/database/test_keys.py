"""Merchants and their keys, as the store keeps them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from owed.database import migrations
from owed.database.pool import Connection, connect
from owed.model.access import digest
from owed.model.attribution import Actor
from owed.store import keys, merchants

T = TypeVar("T")

BY = Actor("cli", "jane", None)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def database(empty_database: str) -> str:
    run(empty_database, lambda connection: migrations.migrate(connection.raw))
    return empty_database


def run(dsn: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    async def connected() -> T:
        connection = await connect(dsn)
        try:
            return await work(connection)
        finally:
            await connection.raw.close()

    return asyncio.run(connected())


def test_a_merchant_has_four_keys_that_open_two_tenants(database: str) -> None:
    merchant = run(database, lambda connection: merchants.create_merchant(connection, "Acme", BY))
    found = run(database, lambda connection: keys.find_keys(connection, list(map(digest, merchant.keys.values()))))

    assert [(found[digest(key)].mode, found[digest(key)].type) for key in merchant.keys.values()] == [
        ("test", "secret"),
        ("test", "public"),
        ("live", "secret"),
        ("live", "public"),
    ]
    assert {key.mode: key.tenant_id for key in found.values()} == merchant.tenants
    assert {key.merchant_id for key in found.values()} == {merchant.id}


def test_each_key_has_the_prefix_of_its_kind_and_160_random_bits(database: str) -> None:
    merchant = run(database, lambda connection: merchants.create_merchant(connection, "Acme", BY))

    assert list(merchant.keys) == ["sk_test", "pk_test", "sk", "pk"]
    for prefix, key in merchant.keys.items():
        assert key.startswith(f"{prefix}_")
        assert key.removeprefix(f"{prefix}_").isalnum()
        assert 62 ** len(key.removeprefix(f"{prefix}_")) >= 2**160


def test_a_key_that_does_not_exist_is_not_found(database: str) -> None:
    assert run(database, lambda connection: keys.find_keys(connection, [digest("sk_nobody")])) == {}


def test_the_first_merchant_is_created_once_however_many_ask(database: str) -> None:
    async def race() -> list[merchants.NewMerchant | None]:
        connections = [await connect(database) for _ in range(3)]
        try:
            return await asyncio.gather(*(merchants.create_first_merchant(each, "Demo", BY) for each in connections))
        finally:
            for each in connections:
                await each.raw.close()

    created = asyncio.run(race())

    assert sum(merchant is not None for merchant in created) == 1


def test_a_revocation_is_told_to_whoever_listens_and_raises_the_revision(database: str) -> None:
    async def revoke(connection: Connection) -> tuple[bool, list[str], int, bool]:
        heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        await connection.raw.add_listener("owed_access", lambda *told: heard.set_result(told[2]))
        merchant = await merchants.create_merchant(connection, "Acme", BY)
        key = (await keys.find_keys(connection, [digest(merchant.keys["sk"])])).popitem()[1]
        before = await connection.raw.fetchval("SELECT number FROM access_revision")
        done = await keys.revoke_key(connection, key.id, BY)
        channel = await asyncio.wait_for(heard, 10)
        after = await connection.raw.fetchval("SELECT number FROM access_revision")
        revoked = (await keys.find_keys(connection, [digest(merchant.keys["sk"])])).popitem()[1].revoked_at
        await connection.raw.reset()
        return done, [channel], after - before, revoked is not None

    assert run(database, revoke) == (True, ["owed_access"], 1, True)


def test_the_time_of_the_first_revocation_stands(database: str) -> None:
    async def revoke_twice(connection: Connection) -> bool:
        merchant = await merchants.create_merchant(connection, "Acme", BY)
        key_id = (await keys.list_keys(connection, merchant.id))[0].id
        moments = []
        for _ in range(2):
            await keys.revoke_key(connection, key_id, BY)
            moments.append((await keys.list_keys(connection, merchant.id))[0].revoked_at)
        return moments[0] is not None and moments[0] == moments[1]

    assert run(database, revoke_twice)


def test_revoking_what_does_not_exist_is_told(database: str) -> None:
    assert run(database, lambda connection: keys.revoke_key(connection, "key_unknown", BY)) is False


def test_a_key_for_an_unknown_merchant_is_not_made(database: str) -> None:
    assert run(database, lambda connection: keys.create_key(connection, "mer_unknown", "test", "secret", BY)) is None


def test_the_last_use_only_moves_forward_and_needs_no_notification(database: str) -> None:
    async def touch(connection: Connection) -> list[datetime | None]:
        merchant = await merchants.create_merchant(connection, "Acme", BY)
        key_id = (await keys.list_keys(connection, merchant.id))[0].id
        for moment in (NOON, NOON - timedelta(minutes=1)):
            await keys.touch_keys(connection, [key_id], moment)
        return [key.last_used_at for key in await keys.list_keys(connection, merchant.id)]

    assert run(database, touch) == [NOON, None, None, None]
    assert run(database, lambda connection: connection.raw.fetchval("SELECT number FROM access_revision")) == 1


def test_keys_are_listed_for_one_merchant_or_for_all(database: str) -> None:
    async def list_both(connection: Connection) -> tuple[int, int]:
        first = await merchants.create_merchant(connection, "Acme", BY)
        await merchants.create_merchant(connection, "Bolt", BY)
        return len(await keys.list_keys(connection, first.id)), len(await keys.list_keys(connection))

    assert run(database, list_both) == (4, 8)
