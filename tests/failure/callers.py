"""Callers as a merchant's own programs should be: each write has a key, and is sent again until its outcome is told."""

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from itertools import count
from typing import Final

from tests.contract.client import JSON, Answer, Client
from tests.failure.choices import next_write
from tests.failure.writes import KINDS, Chooser, Known, Write

PATIENCE: Final = 60.0
"""Seconds in which every write must have been told its outcome, whatever was killed meanwhile."""

DEFINITE: Final = {200, 201, 404, 409, 422}
KEPT: Final = ("Location", "ETag", "Last-Modified", "Owed-Balance-Reapplied")
"""The headers that are kept with a key."""
HEADERS: Final = {"Content-Type": JSON, "Owed-Actor": "caller"}
NOT_DONE, DONE, UNKNOWN = range(1), range(1, 2), range(2)


@dataclass(frozen=True)
class Told:
    """A write, and the outcome that was told."""

    write: Write
    status: int
    body: bytes
    headers: dict[str, str | None]

    @classmethod
    def of(cls, write: Write, answer: Answer) -> "Told":
        return cls(
            write, answer.status, answer.body, {name: answer.headers.get(name) for name in ("Content-Type", *KEPT)}
        )

    @property
    def kept(self) -> list[str | None]:
        """Give the headers that are kept with the key."""
        return [self.headers[name] for name in KEPT]

    @property
    def is_done(self) -> bool:
        return self.status < 300


@dataclass(frozen=True)
class Hasty:
    """A write that was sent once, without a key.

    Attributes:
        effects: How many effects it may have, by what was told of it.
    """

    write: Write
    effects: range


class Field:
    """What the callers of one API key have in common: the objects that they know of, and what they were told.

    Attributes:
        contested: By kind, how often a reference that others may want was given out.
    """

    def __init__(self, port: int, api_key: str, seed: str) -> None:
        self.port = port
        self.api_key = api_key
        self.seed = seed
        self.told: list[Told] = []
        self.hasty: list[Hasty] = []
        self.faults: list[str] = []
        self.known = Known()
        self.stopping = threading.Event()
        self.news = threading.Condition()
        self.contested = {kind: count() for kind in KINDS.values()}
        self._keys = count()

    def new_key(self) -> str:
        return f"{self.seed}-{next(self._keys)}"

    def note(self, told: Told) -> None:
        """Keep what a caller was told, and wake whoever waits for progress."""
        with self.news:
            self.told.append(told)
            if told.status == 201:
                self.known.learn(told.write.kind, json.loads(told.body), str(told.headers["Location"]))
            self.news.notify_all()

    def wait_for(self, more: int, seconds: float) -> bool:
        """Wait until so many more writes were told their outcome, and say whether they were."""
        return self.wait_until(len(self.told) + more, seconds)

    def wait_until(self, wanted: int, seconds: float) -> bool:
        """Wait until so many writes in all were told their outcome, and say whether they were."""
        with self.news:
            return self.news.wait_for(lambda: len(self.told) >= wanted or bool(self.faults), seconds)


class Caller(threading.Thread):
    """One caller: create, change, void, pay, take back, look, and never give up on a key."""

    def __init__(self, field: Field, number: int, pause: float) -> None:
        super().__init__(name=f"caller-{field.seed}-{number}")
        self.pause = pause
        self.field = field
        self.random = random.Random(f"{field.seed}/{number}")
        self.client = Client(field.port, field.api_key, timeout=4)

    def run(self) -> None:
        try:
            while not self.field.stopping.wait(self.random.uniform(0, self.pause)):
                write = self._next_write()
                if self.random.random() < 0.2 and not write.needs_key:
                    self._send_once(write)
                else:
                    self._perform(write)
        except AssertionError as fault:
            with self.field.news:
                self.field.faults.append(str(fault))
                self.field.news.notify_all()
        finally:
            self.client.close()

    def _perform(self, write: Write) -> None:
        told = Told.of(write, persist(self.client, write, self.random))
        self.field.note(told)
        if told.status == 201 and self.random.random() < 0.2:
            self._look_at(str(told.headers["Location"]))

    def _send_once(self, write: Write) -> None:
        """Send a write without a key, and leave it at what is told, if anything is."""
        try:
            answer = send(self.client, write)
        except (OSError, HTTPException):
            self.client.close()
            self.field.hasty.append(Hasty(write, UNKNOWN))
        else:
            self.field.hasty.append(Hasty(write, effects_told(write, answer)))

    def _look_at(self, path: str) -> None:
        """See at once what was acknowledged, whichever worker is asked."""
        try:
            answer = self.client.get(path)
        except (OSError, HTTPException):
            self.client.close()
            return
        assert answer.status in {200, 503}, f"{path} was acknowledged, and then {answer.status}: {answer.body!r}"

    def _next_write(self) -> Write:
        field = self.field
        return next_write(Chooser(field.known, field.contested, self.random, field.new_key()))


def send(client: Client, write: Write, **headers: str) -> Answer:
    return client.send(write.method, write.path, write.body, HEADERS | {"Owed-Reason": write.key} | headers)


def effects_told(write: Write, answer: Answer) -> range:
    """Tell from an answer how many effects a write may have that was sent once."""
    if answer.status < 300:
        return DONE
    assert answer.status in DEFINITE | {503}, f"{write.key} got {answer.status}: {answer.body!r}"
    return UNKNOWN if "outcome is unknown" in answer.json()["detail"] else NOT_DONE


def persist(client: Client, write: Write, random: random.Random) -> Answer:
    """Send a write until its outcome is told."""
    deadline = time.monotonic() + PATIENCE
    last: object = None
    while time.monotonic() < deadline:
        try:
            answer = send(client, write, **{"Idempotency-Key": write.key})
        except (OSError, HTTPException) as error:
            last = error
            client.close()
        else:
            last = answer
            if answer.status in DEFINITE and not is_in_use(answer):
                return answer
            assert answer.status == 503 or is_in_use(answer), f"{write.key} got {answer.status}: {answer.body!r}"
        time.sleep(random.uniform(0.01, 0.2))  # what a decent client does before it tries again
    raise AssertionError(f"{write.key} was never told its outcome in {PATIENCE:.0f} s; last: {last!r}")


def is_in_use(answer: Answer) -> bool:
    return answer.status == 409 and answer.code == "idempotency_key_in_use"


@contextmanager
def calling(fields: list[Field], callers_each: int, pause: float = 0.04) -> Iterator[None]:
    """Have callers at work; at the end each finishes the write that it is at.

    Args:
        pause: The most seconds that one rests between two writes.
    """
    callers = [Caller(field, number, pause) for field in fields for number in range(callers_each)]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        for field in fields:
            field.stopping.set()
        for caller in callers:
            caller.join()
