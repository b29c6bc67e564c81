"""A command that waits for its answer."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from owed.core.command import Command
from owed.core.journal import STARTING
from owed.core.outcomes import Code, Outcome, Refused
from owed.core.state import Name
from owed.engine.store import AnswerKey
from owed.model.answer import Answer, KeptAnswer
from owed.model.tenant_settings import TenantSettings

PASSING = {Code.UNAVAILABLE, Code.IDEMPOTENCY_KEY_IN_USE}

Render = Callable[[Outcome], Answer]


class Idempotency(msgspec.Struct, frozen=True):
    """The client's key for a request, and the fingerprint of what it asked."""

    key: str
    fingerprint: bytes


class Reply(NamedTuple):
    """What a waiting request gets.

    Attributes:
        kept: Whether the request's key keeps this answer, so that a retry gets the same.
        replayed: Whether it is the kept answer of an earlier request.
        passing: Whether what stood in the way will pass: the client should try again soon.
    """

    answer: Answer
    kept: bool = False
    replayed: bool = False
    passing: bool = False


class Pending:
    """A command on its way through the engine."""

    __slots__ = (
        "answer_key", "arrived_at", "command", "deadline", "fingerprint", "key_is_busy", "names", "reads", "render",
        "reply", "request_id", "settings", "size",
    )  # fmt: skip

    def __init__(
        self,
        command: Command,
        render: Render,
        idempotency: Idempotency | None = None,
        request_id: str = "",
        size: int = 0,
        deadline: float = float("inf"),
        settings: TenantSettings = STARTING,
    ) -> None:
        self.command = command
        self.render = render
        self.answer_key = AnswerKey(command.tenant_id, idempotency.key) if idempotency else None
        self.fingerprint = idempotency.fingerprint if idempotency else b""
        self.key_is_busy = False
        self.request_id = request_id
        self.size = size
        self.settings = settings
        self.arrived_at = asyncio.get_running_loop().time()
        self.deadline = deadline
        self.reads: tuple[Name, ...] = command.reads()
        self.names: tuple[Name, ...] = self.reads + command.claims()
        self.reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def settle(self, reply: Reply) -> None:
        """Give the waiting request its reply, if it still waits."""
        if not self.reply.done():
            self.reply.set_result(reply)

    def refusal(self, refused: Refused) -> Reply:
        """Give the reply of a refusal that no key keeps."""
        return Reply(self.render(refused), passing=refused.code in PASSING)

    def refuse(self, refused: Refused) -> None:
        """Refuse the waiting request, if it still waits; its key stays free."""
        if self.reply.done():
            return
        try:
            self.reply.set_result(self.refusal(refused))
        except Exception as error:  # a bug: the request hears of it, and whoever else waits still has a turn
            self.reply.set_exception(error)

    def kept(self, answer: Answer) -> KeptAnswer:
        """Give the answer as it is kept under this command's key."""
        return KeptAnswer(self.fingerprint, answer)
