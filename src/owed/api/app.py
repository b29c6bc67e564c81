"""The application of one worker: its parts put together, started and stopped."""

import asyncio
import logging
import os
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from owed.api.access import Access
from owed.api.commands import shown
from owed.api.edge import Edge
from owed.api.logs import RequestLog
from owed.api.metrics import Metrics
from owed.api.pagination import CursorSigner
from owed.api.rate_limit import RateLimit
from owed.api.room import Room
from owed.api.service import Service
from owed.api.shared_metrics import SharedMetrics, directory_of_service
from owed.database.pool import Pool
from owed.engine.clock import BatchStamp, Clock
from owed.engine.engine import Engine
from owed.engine.store import Unavailable
from owed.garbage import collect_rarely
from owed.logs import configure
from owed.model.identifiers import IdSource
from owed.settings import Settings
from owed.store.attempts import Attempts
from owed.store.audit import AuditLog
from owed.store.endpoint_reads import EndpointReads
from owed.store.entries import Entries
from owed.store.events import Events
from owed.store.feed import Feed
from owed.store.lists import Lists
from owed.store.lookups import Lookups
from owed.store.maintenance import maintain
from owed.store.past import Past
from owed.store.postgres import PostgresStore
from owed.store.redaction import Redaction
from owed.store.secrets import read_secret
from owed.store.slow_lane import SlowLane
from owed.store.streams import FETCH_SECONDS, Streams
from owed.store.trial_balance import TrialBalances
from owed.store.unallocated import UnallocatedMoney
from owed.webhooks.addresses import Policy
from owed.webhooks.sender import Sender

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

MOST_TESTS, MOST_TESTS_OF_ONE = 10, 3
"""Tests of endpoints at the same time, in all and of one merchant: a receiver may take its time."""

MOST_REPORTS, MOST_REPORTS_OF_ONE = 5, 3
"""Statements and reports at the same time, in all and of one merchant and mode."""

MOST_EXPORTS, MOST_EXPORTS_OF_ONE = 3, 2
"""Exports, which take longer."""

RETRY_START = 0.25
"""Seconds between two attempts to reach the database at the start."""

logger = logging.getLogger("owed")


class App:
    """An ASGI application over the settings of this process's environment."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._log = RequestLog(settings.log)
        self._service: Service | None = None
        self._edge: Edge | None = None
        self._maintenance: asyncio.Task[None] | None = None

    @property
    def is_serving(self) -> bool:
        """Tell whether requests are taken: not while the database is waited for."""
        return self._edge is not None

    @property
    def public_url(self) -> str | None:
        """Give where clients find this service, if that is not where they say that they called it."""
        return self._settings.public_url

    @property
    def edge(self) -> Edge:
        """Give what answers requests, once it serves."""
        if self._edge is None:
            raise RuntimeError("the application has not started")
        return self._edge

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Start and stop with the server, which tells of it over ASGI. Requests come from `Protocol`."""
        await receive()
        await self._start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self) -> None:
        configure(self._settings.log)
        self._service = await assemble_when_possible(self._settings)
        self._edge = Edge(self._service, self._log)
        self._service.access.start()
        self._service.shared_metrics.start()
        service = self._service
        self._maintenance = asyncio.create_task(
            maintain(service.pool, service.access.record_use, service.redaction.finish_left)
        )
        collect_rarely()

    async def _stop(self) -> None:
        if self._service is None or self._maintenance is None:
            return
        self._maintenance.cancel()
        await asyncio.gather(self._maintenance, return_exceptions=True)
        await self._service.engine.close()
        await self._service.access.close()
        await self._service.sender.close()
        await self._service.streams.close()
        await self._service.pool.close()
        self._service.shared_metrics.close()
        self._log.write()


async def assemble_when_possible(settings: Settings) -> Service:
    """Put the parts together as soon as the database can be reached: a worker may be replaced while it restarts."""
    while True:
        try:
            return await assemble(settings)
        except Unavailable as error:
            logger.warning("the database cannot be reached yet: %s", error)
            await asyncio.sleep(RETRY_START)


async def assemble(settings: Settings) -> Service:
    """Put the parts of a worker together."""
    dsn = settings.database_url
    if dsn is None:
        raise RuntimeError("a worker is told its database by the process that starts it")
    pool = Pool(dsn, settings.pool_size)
    clock, ids = Clock(), IdSource(random.Random(os.urandom(32)))
    engine = Engine(PostgresStore(pool, dsn), lambda: BatchStamp(clock.now(), ids))
    lookups, lane, metrics = Lookups(pool), SlowLane(pool), Metrics()
    engine.batch_sizes = metrics.batches["write"].observe
    lookups.batch_sizes = metrics.batches["read"].observe
    metrics.gauges["owed_queue_length", "Commands that wait for a batch."] = lambda: len(engine.queue)
    metrics.gauges["owed_pool_connections_in_use", "Database connections at work."] = lambda: pool.in_use
    metrics.gauges["owed_pool_connections_limit", "Database connections at most."] = lambda: pool.size
    policy = Policy(settings.webhook_allow, loopback=settings.is_heard_here_alone)
    return Service(
        pool=pool,
        engine=engine,
        lookups=lookups,
        lists=Lists(lane),
        entries=Entries(lane),
        audit=AuditLog(lane),
        redaction=Redaction(pool, shown),
        events=Events(pool, lane),
        feed=Feed(lane),
        endpoints=EndpointReads(lane),
        webhook_policy=policy,
        attempts=Attempts(lane),
        past=Past(lane),
        trial_balances=TrialBalances(lane),
        unallocated=UnallocatedMoney(lane),
        streams=Streams(dsn, MOST_REPORTS + MOST_EXPORTS),
        reports=Room("statements and reports", MOST_REPORTS, MOST_REPORTS_OF_ONE, FETCH_SECONDS),
        exports=Room("exports", MOST_EXPORTS, MOST_EXPORTS_OF_ONE, FETCH_SECONDS),
        access=Access(pool, dsn),
        cursors=CursorSigner(await read_secret(pool, "cursor")),
        rate_limit=RateLimit(settings.rate_limit / settings.workers),
        metrics=metrics,
        shared_metrics=SharedMetrics(metrics, directory_of_service()),
        sender=Sender(policy, settings.webhook_timeout, settings.webhook_ca_bundle),
        tests=Room("tests of endpoints", MOST_TESTS, MOST_TESTS_OF_ONE, settings.webhook_timeout),
    )


def create() -> App:
    """Make the application of this process, as uvicorn's factory."""
    return App(Settings.from_environment(os.environ))
