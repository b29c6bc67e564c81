"""What the receiver got: when, in which order, and whether the signatures are right."""

import http.client
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from bench import receiver, services
from bench.events import Event
from bench.machine import Cores

LOOK_EVERY = 0.02
PATIENCE = 30.0
"""Seconds without one arrival after which no more are waited for."""


@dataclass(frozen=True)
class Receipts:
    """What arrived between two looks."""

    taken: receiver.Taken

    def __len__(self) -> int:
        return len(self.taken.times)

    def faults(self, events: Sequence[Event], secrets: Mapping[str, str], *, whole: bool) -> Iterator[str]:
        """Yield what is wrong.

        Args:
            events: All that there was to deliver, to every endpoint.
            secrets: Of each endpoint, by the path of its URL.
            whole: Whether all of it should have arrived.
        """
        expected = {event.id: event for event in events}
        arrived = Counter(zip(self.taken.paths, self.taken.ids, strict=True))
        if strange := {key for key in arrived if key[0] not in secrets or key[1] not in expected}:
            yield f"{len(strange)} arrived that should not have, {min(strange)} among them"
        if again := [key for key, times in arrived.items() if times > 1]:
            yield f"{len(again)} arrived more than once, {again[0]} among them"
        if whole and len(arrived) < len(events) * len(secrets):
            yield f"{len(arrived)} of {len(events) * len(secrets)} arrived"
        yield from self._signatures(secrets)

    def disorder(self, events: Sequence[Event]) -> Iterator[str]:
        """Yield where an endpoint got the events of an object in another order than they have."""
        waiting: dict[str, list[Event]] = defaultdict(list)
        for event in sorted(events, key=attrgetter("sequence")):
            waiting[event.object_id].append(event)
        places = {event.id: (lane, place) for lane, of in waiting.items() for place, event in enumerate(of)}
        seen: Counter[tuple[str, str]] = Counter()
        wrong = 0
        for path, event_id in zip(self.taken.paths, self.taken.ids, strict=True):
            lane, place = places.get(event_id, ("", -1))
            wrong += place != seen[path, lane]
            seen[path, lane] += 1
        if wrong:
            yield f"{wrong} arrived out of order"

    def between(self, begin: float, end: float) -> int:
        """Count those that arrived in a time."""
        return sum(begin <= at < end for at in self.taken.times)

    def _signatures(self, secrets: Mapping[str, str]) -> Iterator[str]:
        for request in self.taken.whole:
            head, _, body = request.partition("\r\n\r\n")
            first, *lines = head.split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            try:
                Webhook(secrets[first.split()[1]]).verify(body, headers)
            except (WebhookVerificationError, KeyError) as error:
                yield f"a signature does not verify: {error!r}"
                return


class Receiver:
    """The receiver that runs."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def url(self, path: str) -> str:
        """Give the URL of an endpoint."""
        return f"http://127.0.0.1:{self.port}{path}"

    def count(self) -> int:
        """Count what arrived since it was last taken."""
        found: int = self._get("/count")
        return found

    def take(self) -> Receipts:
        """Take what arrived."""
        return Receipts(receiver.Taken(**self._get("/taken")))

    def wait(self, count: int) -> bool:
        """Wait until so many have arrived, and tell whether they have; give up when none comes any more."""
        seen, deadline = 0, time.monotonic() + PATIENCE
        while (now := self.count()) < count:
            if now > seen:
                seen, deadline = now, time.monotonic() + PATIENCE
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_EVERY)
        return True

    def _get(self, path: str) -> Any:
        self._connection.request("GET", path)
        return json.loads(self._connection.getresponse().read())


@contextmanager
def receiving(directory: Path, cores: Cores) -> Iterator[Receiver]:
    """Run the receiver in a process of its own."""
    port = services.free_port()
    command = [sys.executable, "-m", "bench.receiver", str(port)]
    with services.started(command, {}, directory / "receiver.log", cores):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with suppress(ConnectionError):
                found = Receiver(port)
                found.count()
                break
            time.sleep(LOOK_EVERY)
        yield Receiver(port)
