"""The delivery of webhooks as a process does it: that of `owed worker`, and the one that `owed serve` runs."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from owed.cli import stopping
from owed.cli.delivery_metrics import DeliveryMetrics
from owed.cli.stopping import Stopping
from owed.core.retries import Schedule
from owed.database import DatabaseError
from owed.database.migrations import is_current, require_current
from owed.database.pool import Pool
from owed.engine.store import Unavailable
from owed.garbage import collect_rarely
from owed.logs import configure
from owed.settings import Settings, SettingsError
from owed.store.failures import translated
from owed.store.retention import Retention, forget
from owed.webhooks.addresses import Policy
from owed.webhooks.deliverer import Deliverer
from owed.webhooks.sender import Sender

logger = logging.getLogger("owed.deliveries")

RETRY_AFTER = 1.0
"""Seconds between two attempts to reach the database."""

PATIENCE = 3.0
"""Seconds beyond those of its last attempts in which a worker records them."""


def main() -> None:
    """Deliver for an `owed serve`, until it closes our standard input, or is gone."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the one that we work for hears it too, and says what to do
    try:
        settings = Settings.from_environment(os.environ)
        configure(settings.log)
        deliver(settings, DeliveryMetrics.of_service(), is_local=True, until_closed=sys.stdin.fileno())
    except (DatabaseError, SettingsError) as error:
        logger.error("%s", error)  # noqa: TRY400  (one line says it all)
        raise SystemExit(1) from error


def deliver(settings: Settings, metrics: DeliveryMetrics, *, is_local: bool, until_closed: int | None = None) -> None:
    """Deliver webhooks until told to stop, and finish what is under way; at a second signal leave at once.

    Args:
        settings: Of this process, with the address of the database.
        is_local: Whether the service that takes the URLs listens by these same settings.
        until_closed: A stream whose end is a signal to stop too.

    Raises:
        DatabaseError: The schema of the database is older than what we know.
        SettingsError: The certificates cannot be read.
    """

    async def work(stop: Stopping) -> None:
        policy = Policy(settings.webhook_allow, loopback=is_local and settings.is_heard_here_alone)
        async with connected(settings, stop) as pool, sending(settings, policy) as sender:
            collect_rarely()
            await keep_delivering(settings, pool, sender, metrics, stop)

    stopping.run(work, settings.webhook_timeout + PATIENCE, until_closed)


async def keep_delivering(
    settings: Settings, pool: Pool, sender: Sender, metrics: DeliveryMetrics, stop: Stopping
) -> None:
    """Deliver, and look after what is kept and measured, for as long as nobody says stop."""
    schedule, patience = Schedule(settings.webhook_retries, settings.webhook_order_seconds), settings.webhook_timeout
    keeping = Retention(timedelta(days=settings.keep_events_days), timedelta(days=settings.keep_attempts_days))
    deliverer = Deliverer(pool, sender, schedule, patience=patience, noted=metrics.note)
    async with beside(metrics.keep(pool)), beside(forget(pool, keeping)):
        await deliverer.run(stop.asked)


@asynccontextmanager
async def connected(settings: Settings, stop: Stopping) -> AsyncIterator[Pool]:
    """Wait for the database, and lend connections to it."""
    if settings.database_url is None:
        raise RuntimeError("a worker is told its database by what starts it")
    pool = Pool(settings.database_url, settings.pool_size)
    try:
        while not (stop.asked.is_set() or await is_reached(pool)):
            await stop.pause(RETRY_AFTER)
        logger.info("webhooks are delivered from now on")
        yield pool
    finally:
        await pool.close()


async def is_reached(pool: Pool) -> bool:
    """Tell whether the database can be reached.

    Raises:
        DatabaseError: Its schema is older than what we know.
    """
    try:
        with translated():
            async with pool.connection() as connection:
                if not await is_current(connection.raw):
                    await require_current(connection.raw)
    except Unavailable as error:
        logger.warning("the database cannot be reached yet: %s", error)
        return False
    return True


@asynccontextmanager
async def sending(settings: Settings, policy: Policy) -> AsyncIterator[Sender]:
    """Lend what sends webhooks.

    Args:
        policy: Where they may go.
    """
    sender = Sender(policy, settings.webhook_timeout, settings.webhook_ca_bundle)
    try:
        yield sender
    finally:
        await sender.close()


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do some work beside the block, and stop when that ends."""
    task = asyncio.create_task(work)
    task.add_done_callback(tell_of_failure)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def tell_of_failure(task: asyncio.Task[None]) -> None:
    """Log the failure of some work that nobody waits for."""
    if not task.cancelled() and (error := task.exception()):
        logger.error("something beside the deliveries has failed", exc_info=error)


if __name__ == "__main__":
    main()
