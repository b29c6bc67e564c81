"""The rate limit: a bucket of requests for each key, refilled evenly."""

import math
import time

import msgspec

from owed.api.problems import Refusal
from owed.core.outcomes import Code, Refused

MOST_BUCKETS = 50_000
"""Keys remembered at most; a full bucket needs no remembering."""


class Bucket(msgspec.Struct):
    """How many requests a key may still make, as of a moment."""

    left: float
    as_of: float


class RateLimit:
    """At most `rate` requests a second for each key, in bursts of up to as many as fit in one second.

    Args:
        rate: Requests a second, per worker. 0: no limit.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._burst = max(rate, 1.0)
        self._buckets: dict[str, Bucket] = {}

    @property
    def is_on(self) -> bool:
        """Tell whether there is a limit."""
        return self._rate > 0

    def spend(self, key_id: str) -> dict[str, str]:
        """Take one request from a key's bucket, and give the headers that tell how it stands.

        Raises:
            Refusal: The bucket is empty; it tells when to come back.
        """
        bucket = self._refilled(key_id)
        if bucket.left < 1:
            wait = math.ceil((1 - bucket.left) / self._rate)
            headers = {**self._headers(bucket), "retry-after": str(wait)}
            refused = Refused(Code.RATE_LIMITED, "This key has made all the requests that it may make for now.")
            raise Refusal(refused, headers)
        bucket.left -= 1
        return self._headers(bucket)

    def _refilled(self, key_id: str) -> Bucket:
        now = time.monotonic()
        if len(self._buckets) >= MOST_BUCKETS:
            self._buckets.clear()
        bucket = self._buckets.setdefault(key_id, Bucket(self._burst, now))
        bucket.left = min(self._burst, bucket.left + (now - bucket.as_of) * self._rate)
        bucket.as_of = now
        return bucket

    def _headers(self, bucket: Bucket) -> dict[str, str]:
        return {
            "ratelimit-limit": str(int(self._burst)),
            "ratelimit-remaining": str(int(bucket.left)),
            "ratelimit-reset": str(math.ceil((self._burst - bucket.left) / self._rate)),
        }
