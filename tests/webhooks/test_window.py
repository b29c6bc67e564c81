"""How many requests go out at the same time, and whom a receiver that hangs makes wait."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from owed.webhooks.window import LARGEST, OF_ONE_QUICK, OF_ONE_SLOW, QUICK_ONES, SLOW, SLOW_ONES, START, Room, Window


def quick() -> Window:
    window = Window()
    window.note(succeeded=True, seconds=0.01)
    return window


def test_a_receiver_that_succeeds_gets_more_at_the_same_time_up_to_a_bound() -> None:
    window = Window()
    assert window.size == START
    for _ in range(2 * LARGEST):
        window.note(succeeded=True, seconds=0.01)
    assert window.size == LARGEST


def test_a_receiver_that_hangs_gets_fewer_and_in_the_end_one() -> None:
    window = quick()
    for _ in range(10):
        window.note(succeeded=False, seconds=15.0)
    assert (window.size, window.is_quick) == (1, False)


def test_a_failure_that_comes_quickly_ties_nothing_up() -> None:
    window = quick()
    before = window.size
    window.note(succeeded=False, seconds=0.01)
    assert (window.size, window.is_quick) == (before, True)


def test_a_success_that_takes_long_has_no_room_of_the_quick_ones() -> None:
    window = quick()
    window.note(succeeded=True, seconds=SLOW + 0.1)
    assert not window.is_quick


async def full(room: Room, stack: AsyncExitStack, tenant: int, window: Window) -> int:
    """Take all the room that there is for such a request, and count how often there was some."""
    for taken in range(QUICK_ONES + SLOW_ONES + 1):
        try:
            async with asyncio.timeout(0.01):
                await stack.enter_async_context(room.one(tenant, window))
        except TimeoutError:
            return taken
    raise AssertionError("there is room without end")


async def test_what_hangs_takes_no_room_of_what_is_quick_and_only_a_part_of_what_is_not() -> None:
    room, slow = Room(), Window()
    async with AsyncExitStack() as stack:
        assert await full(room, stack, 1, slow) == OF_ONE_SLOW
        assert await full(room, stack, 2, slow) == OF_ONE_SLOW
        assert await full(room, stack, 1, quick()) == OF_ONE_QUICK
        assert await full(room, stack, 2, quick()) == QUICK_ONES - OF_ONE_QUICK


async def test_room_is_given_back_however_a_request_ends() -> None:
    room, slow = Room(), Window()
    for _ in range(2):
        async with AsyncExitStack() as stack:
            assert await full(room, stack, 1, slow) == OF_ONE_SLOW
    with pytest.raises(ValueError, match="whatever"):
        async with room.one(1, slow):
            raise ValueError("whatever")
