"""How the command line carries out what the API would carry out on request, and in whose name."""

import getpass
import os
from random import SystemRandom

from owed.api import query
from owed.api.commands import WORDS
from owed.cli.errors import Refused, lowered
from owed.cli.tenants import Tenant
from owed.core.command import Command
from owed.core.outcomes import Done, Outcome
from owed.engine.clock import BatchStamp, Clock
from owed.engine.engine import Engine
from owed.model.answer import Answer
from owed.model.attribution import Actor
from owed.model.identifiers import IdSource
from owed.store.postgres import PostgresStore

KEY_ID = "cli"
"""What stands for the key of those who need none."""

NO_ANSWER = Answer(200, b"")


async def carry_out(tenant: Tenant, command: Command) -> Outcome:
    """Carry out a command as a worker does, again where something else changed its objects meanwhile."""
    clock, ids = Clock(), IdSource(SystemRandom())
    engine = Engine(PostgresStore(tenant.pool, tenant.dsn), lambda: BatchStamp(clock.now(), ids))
    outcomes: list[Outcome] = []

    def render(outcome: Outcome) -> Answer:
        outcomes.append(outcome)
        return NO_ANSWER

    await engine.submit(command, render)
    await engine.close()
    return outcomes[-1]  # one that lost a race was decided again


def done(outcome: Outcome) -> Done:
    """Give what was done.

    Raises:
        Refused: It was not.
    """
    if isinstance(outcome, Done):
        return outcome
    raise Refused(lowered(outcome.detail))


def actor(reason: str | None = None) -> Actor:
    """Name whoever runs this, as what they do is recorded."""
    return Actor(KEY_ID, login_name(), reason)


def is_words(text: str) -> bool:
    """Tell whether a text is printable words, as `Owed-Actor` and `Owed-Reason` must be."""
    return query.is_text(text) and bool(WORDS(text))


def login_name() -> str:
    """Name whoever runs this, as the system knows them."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # an account that has no name, as in some containers
        name = ""
    return name if is_words(name) else f"uid {os.getuid()}"
