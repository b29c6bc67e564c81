"""Steps: all that can happen in a simulated world, as data, so that a part of a history can be lived again."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, ClassVar

import msgspec

TENANTS = {1: "Acme test", 2: "Acme live", 3: "Bolt test", 4: "Bolt live"}

WORKERS = 3

PATIENCE = 30.0
"""Seconds after which a patient client hangs up."""

POISON = "poison"
"""A value of metadata that the store cannot take, as PostgreSQL cannot take some texts."""

LONGEST = 6.0
"""Seconds that harm lasts at most: longer than a request waits for its key."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happens, so many seconds after the step before it."""

    plain: ClassVar[dict[str, Any]] = {}
    """Members that may have plainer values, and which."""

    after: float = 0.0

    def plainer(self) -> Iterator[Any]:
        """Yield the step with plainer members: all of them, then one at a time."""
        more = {name: value for name, value in self.plain.items() if getattr(self, name) != value}
        if len(more) > 1:
            yield msgspec.structs.replace(self, **more)
        yield from (msgspec.structs.replace(self, **{name: value}) for name, value in more.items())

    def line(self) -> str:
        """Say what happens, in a line for people."""
        raise NotImplementedError


class Verb(StrEnum):
    """What a client may ask for."""

    CREATE = "create"
    UPDATE = "update"
    VOID = "void"
    PAY = "pay"
    REFUND = "refund"
    REVERSE = "reverse"
    CHARGE = "charge"
    CREDIT = "credit"
    UNDO = "undo"


TARGETS = {
    Verb.CREATE: "POST /billing/{kind}s",
    Verb.UPDATE: "PATCH /billing/{kind}s/{name}",
    Verb.VOID: "POST /billing/{kind}s/{name}/void",
    Verb.PAY: "POST /billing/{kind}s",
    Verb.REFUND: "POST /billing/{kind}s/{name}/refunds",
    Verb.REVERSE: "POST /billing/{kind}s/{name}/reversals",
    Verb.CHARGE: "POST /billing/{kind}s/{name}/charges",
    Verb.CREDIT: "POST /billing/{kind}s/{name}/credits",
    Verb.UNDO: "POST /billing/{kind}s/{name}/…/reverse",
}


NEEDED: dict[Verb, frozenset[str]] = {verb: frozenset({"external_reference"}) for verb in Verb} | {
    Verb.PAY: frozenset({"currency", "applications"}),
    Verb.REVERSE: frozenset({"reason"}),
    Verb.CHARGE: frozenset({"amount"}),
    Verb.CREDIT: frozenset({"amount", "type"}),
    Verb.UNDO: frozenset({"charge", "credit"}),
}
"""Members without which a request would be another, or none."""


class Ask(Step, frozen=True, kw_only=True):
    """A client sends a request; where it has a key, again and again until it has an answer.

    Attributes:
        number: What the request is called, here and in the words of its actor.
        name: What the path names: a reference, or `#7` for the id of what request 7 has made.
        members: What the body gives. In a refund or reversal an application goes by its place, from 0; the amount of a
            payment is what its applications add up to. To undo is to name the `charge` or the `credit`.
        key: The number in the idempotency key: its own, or that of another request; None: there is no key.
        worker: The one that it is sent to first.
        lost: How many of its answers are lost on the way.
        patience: Seconds after which the client hangs up; each further time it waits twice as long.
    """

    plain: ClassVar[dict[str, Any]] = {"lost": 0, "patience": PATIENCE}

    number: int
    tenant: int
    verb: Verb
    kind: str
    name: str = ""
    members: dict[str, Any] = {}
    key: int | None = None
    worker: int = 0
    lost: int = 0
    patience: float = PATIENCE

    def plainer(self) -> Iterator[Any]:
        """Yield the request with plainer ways of its client, or with less in it."""
        yield from super().plainer()
        if self.key not in {None, self.number}:
            yield msgspec.structs.replace(self, key=self.number)
        for name in sorted(self.members.keys() - NEEDED[self.verb]):
            yield self._giving({each: value for each, value in self.members.items() if each != name})
        if self.verb is Verb.PAY and len(self.members["applications"]) > 1:
            for application in self.members["applications"]:
                yield self._giving({**self.members, "applications": [application]})

    def _giving(self, members: dict[str, Any]) -> "Ask":
        return msgspec.structs.replace(self, members=members)

    @property
    def is_poison(self) -> bool:
        """Tell whether the store cannot take what this would save."""
        return POISON in self.members.get("metadata", {}).values()

    def line(self) -> str:
        """Say who asks for what, and how."""
        target = TARGETS[self.verb].format(kind=self.kind, name=self.name)
        if self.verb is Verb.PAY:
            target += f" of {sum(each['amount'] for each in self.members['applications'])}"
        body = f" {msgspec.json.encode(self.members).decode()}" if self.members else ""
        how = [f"worker {self.worker}", "no key" if self.key is None else f"key k{self.key}"]
        if self.lost:
            how.append("its answer is lost" if self.lost == 1 else f"its first {self.lost} answers are lost")
        if self.patience < PATIENCE:
            how.append(f"hangs up after {self.patience:g} s")
        return f"request {self.number} of {TENANTS[self.tenant]}: {target}{body} ({', '.join(how)})"


class Again(Step, frozen=True, kw_only=True):
    """A client that has an answer sends its request once more, with the same key."""

    of: int
    worker: int = 0

    def line(self) -> str:
        """Say which request comes again."""
        return f"request {self.of} again, to worker {self.worker}"


class Point(StrEnum):
    """Between which two steps of a batch something goes wrong."""

    BEFORE_READING = "before it reads"
    AFTER_READING = "after it has read"
    BEFORE_WRITING = "before it writes"
    AFTER_WRITING = "after it has written, before it answers"
    BEFORE_LOCKING = "before it locks"
    HOLDING = "while it holds locks"
    BEFORE_COMMIT = "before it commits"
    AFTER_COMMIT = "after it has committed, before it answers"


class Harm(StrEnum):
    """What goes wrong."""

    CRASH = "crashes"
    STALL = "stalls"
    UNAVAILABLE = "cannot reach the store"
    UNKNOWN = "loses the store, and cannot know what was saved"
    CONFLICT = "loses a race"
    BLOCKED = "waits too long for a lock"


LOST = (Harm.CRASH, Harm.STALL, Harm.UNAVAILABLE)
RACES = (Harm.CONFLICT, Harm.BLOCKED)

HARMS: dict[Point, tuple[Harm, ...]] = {
    Point.BEFORE_READING: LOST,
    Point.AFTER_READING: LOST,
    Point.BEFORE_WRITING: (*LOST, *RACES, Harm.UNKNOWN),
    Point.AFTER_WRITING: (Harm.CRASH, Harm.STALL, Harm.UNKNOWN),
    Point.BEFORE_LOCKING: (*LOST, *RACES),
    Point.HOLDING: LOST,
    Point.BEFORE_COMMIT: (*LOST, Harm.CONFLICT, Harm.UNKNOWN),
    Point.AFTER_COMMIT: (Harm.CRASH, Harm.STALL, Harm.UNKNOWN),
}
"""What the protocol of a store allows to go wrong, and where: what is saved is never denied."""


class Strike(Step, frozen=True, kw_only=True):
    """A worker will come to harm, the next time that it is at a point.

    Attributes:
        seconds: How long it stalls; or how long the store takes to see that it has crashed, and frees its locks.
    """

    plain: ClassVar[dict[str, Any]] = {"seconds": 0.0}

    worker: int
    point: Point
    harm: Harm
    seconds: float = 0.0

    def line(self) -> str:
        """Say what will happen to whom, and when."""
        how = f" for {self.seconds:g} s" if self.harm is Harm.STALL else ""
        if self.harm is Harm.CRASH and self.seconds:
            how = f" (its locks are freed {self.seconds:g} s later)"
        return f"worker {self.worker} {self.harm}{how} the next time, {self.point}"


class Restart(Step, frozen=True, kw_only=True):
    """A worker is shut down in good order, and started anew."""

    worker: int

    def line(self) -> str:
        """Say which."""
        return f"worker {self.worker} is restarted"


class Jump(Step, frozen=True, kw_only=True):
    """The clock of one worker is set, forward or back; or, where none is named, all clocks, and the store's too."""

    seconds: float
    worker: int | None = None

    def line(self) -> str:
        """Say which, and by how much."""
        whose = "every clock" if self.worker is None else f"the clock of worker {self.worker}"
        return f"{whose} is set {'forward' if self.seconds > 0 else 'back'} by {abs(self.seconds):g} s"


class Idle(Step, frozen=True, kw_only=True):
    """Nothing happens for a while."""

    def line(self) -> str:
        """Say so."""
        return "nothing has happened for a while"
