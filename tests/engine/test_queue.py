from collections.abc import Iterable

import pytest

from owed.core.state import Name
from owed.engine.pending import Pending
from owed.engine.queue import TenantQueues
from tests.core.samples import create
from tests.engine.desk import render

BIG = 10**9


def queue_of(*lines: tuple[int, Iterable[str]], size: int = 1) -> TenantQueues:
    queue = TenantQueues()
    for tenant, references in lines:
        for reference in references:
            queue.put(Pending(create(reference, tenant=tenant), render, size=size))
    return queue


def take(queue: TenantQueues, most: int = 100, most_bytes: int = BIG, busy: Iterable[Name] = ()) -> str:
    taken = queue.take(most, most_bytes, set(busy))
    return " ".join(f"{name.tenant_id}{name.text}" for pending in taken for name in pending.names)


def customer(tenant: int, reference: str) -> Name:
    return Name("customer", tenant, reference)


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (1, ["1a", "2x", "1b", "3z", "1c", "2y", "1d"]),
        (2, ["1a 2x", "3z 1b", "2y 1c", "1d"]),
        (4, ["1a 2x 3z 1b", "2y 1c 1d"]),
        (9, ["1a 2x 3z 1b 2y 1c 1d"]),
    ],
)
async def test_each_turn_takes_one_of_every_tenant(most: int, expected: list[str]) -> None:
    queue = queue_of((1, "abcd"), (2, "xy"), (3, "z"))
    batches = []
    while queue:
        batches.append(take(queue, most))

    assert sorted(" ".join(batches).split()) == sorted(" ".join(expected).split())
    if most > 1:
        assert batches == expected


async def test_what_touches_something_busy_keeps_its_place() -> None:
    queue = queue_of((1, "abcd"), (2, "a"))

    assert take(queue, busy=[customer(1, "b"), customer(1, "c")]) == "1a 2a 1d"
    assert (len(queue), take(queue), len(queue)) == (2, "1b 1c", 0)


async def test_a_name_is_busy_in_its_own_tenant() -> None:
    assert take(queue_of((1, "a"), (2, "a")), busy=[customer(1, "a")]) == "2a"


async def test_nothing_is_taken_where_everything_is_busy() -> None:
    queue = queue_of((1, "aaa"))

    assert (take(queue, busy=[customer(1, "a")]), len(queue)) == ("", 3)


async def test_a_batch_ends_with_the_command_that_fills_it() -> None:
    queue = queue_of((1, "abcde"), size=10)

    assert [take(queue, most_bytes=25), take(queue, most_bytes=20), len(queue)] == ["1a 1b 1c", "1d 1e", 0]


async def test_no_command_is_lost_or_taken_twice_whatever_is_busy() -> None:
    queue = queue_of((1, "abcabc"), (2, "cba"), (3, "a"))
    taken: list[str] = []
    for busy in ("a", "b", "c", "ab", "") * 3:
        taken += take(
            queue, 2, busy=[customer(tenant, reference) for tenant in (1, 2, 3) for reference in busy]
        ).split()

    assert sorted(taken) == ["1a", "1a", "1b", "1b", "1c", "1c", "2a", "2b", "2c", "3a"]
    assert not queue
