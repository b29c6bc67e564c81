import asyncio
import time

import pytest

from owed.simulation.loop import Standstill, run


def test_an_idle_year_takes_no_time() -> None:
    async def wait() -> float:
        await asyncio.sleep(365 * 24 * 3600)
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    assert run(wait()) == pytest.approx(365 * 24 * 3600)
    assert time.monotonic() - began < 1


def test_whoever_wakes_at_the_same_moment_goes_on_in_the_order_of_falling_asleep() -> None:
    woken = []

    async def sleep(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append(name)

    async def everybody() -> None:
        await asyncio.gather(sleep("late", 2), sleep("first", 1), sleep("second", 1), sleep("at once", 0))

    run(everybody())
    assert woken == ["at once", "first", "second", "late"]


def test_a_time_limit_is_one_of_virtual_time() -> None:
    async def wait() -> None:
        async with asyncio.timeout(3600):
            await asyncio.sleep(3601)

    with pytest.raises(TimeoutError):
        run(wait())


def test_waiting_for_what_never_happens_is_an_error_and_no_hang() -> None:
    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Standstill):
        run(wait())
