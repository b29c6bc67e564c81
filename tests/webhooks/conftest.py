import asyncio
import inspect

import pytest
import uvloop

LONGEST = 30.0
"""Seconds that a test may take: one that waits for ever has failed."""


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    given = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}

    async def run() -> None:
        async with asyncio.timeout(LONGEST):
            await pyfuncitem.obj(**given)

    uvloop.run(run())
    return True
