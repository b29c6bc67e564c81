"""What a delivery worker counts: for /metrics where it belongs to a service, and else for the log."""

import asyncio
import logging
from pathlib import Path
from typing import Self

from owed.api.metrics import DELIVERY_WORKERS, Metrics
from owed.api.shared_metrics import SharedMetrics, directory_of_service
from owed.database.pool import Pool
from owed.model.delivery import Attempt, Claimed
from owed.store.backlog import Backlog, backlog
from owed.store.maintenance import regularly

logger = logging.getLogger("owed.deliveries")

LOOK_EVERY = 15.0
"""Seconds between two looks at what is to be delivered."""

TELL_EVERY = 60.0
"""Seconds between two lines in the log."""


class DeliveryMetrics:
    """The metrics of one delivery worker.

    Args:
        directory: Where the processes of a service write theirs; None where this worker belongs to none.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._metrics = Metrics(DELIVERY_WORKERS)
        self._shared = SharedMetrics(self._metrics, directory)
        self._is_alone = directory is None
        self._backlog = Backlog()
        self._told: dict[str, int] = {}
        gauges = self._metrics.gauges
        gauges["owed_webhook_pending", "Deliveries to make, counted to 100,000."] = lambda: self._backlog.pending
        lag = "owed_event_feed_lag_seconds", "Age of the oldest event that a running transaction holds back."
        gauges[lag] = lambda: self._backlog.lag_seconds

    @classmethod
    def of_service(cls) -> Self:
        """Make those of the worker of an `owed serve`, which started this process."""
        return cls(directory_of_service())

    def note(self, delivery: Claimed, attempt: Attempt) -> None:
        """Count an attempt."""
        self._metrics.note_attempt("succeeded" if attempt.succeeded else "failed")
        if delivery.tried == 0 and delivery.recorded_at is not None:
            self._metrics.first_attempts.observe((attempt.attempted_at - delivery.recorded_at).total_seconds())

    async def keep(self, pool: Pool) -> None:
        """Keep them up to date, and tell of them, for ever."""

        async def look() -> None:
            self._backlog = await backlog(pool)

        async def tell() -> None:
            self._tell()

        self._shared.start()
        try:
            await asyncio.gather(
                regularly(LOOK_EVERY, look), *([regularly(TELL_EVERY, tell)] if self._is_alone else [])
            )
        finally:
            self._shared.close()

    def _tell(self) -> None:
        """Log what has been done since the last time."""
        attempts = dict(self._metrics.attempts)
        since = {outcome: count - self._told.get(outcome, 0) for outcome, count in attempts.items()}
        self._told = attempts
        standing = {"pending": self._backlog.pending, "feed_lag_seconds": round(self._backlog.lag_seconds, 3)}
        logger.info("webhooks of the last minute", extra={"succeeded": 0, "failed": 0, **since, **standing})
