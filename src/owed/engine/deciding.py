"""Deciding a batch: every command in order, each on what the ones before it have made of the state."""

import logging
from collections.abc import Iterable

from owed.core.journal import Journal
from owed.core.outcomes import Code, Refused, is_kept
from owed.core.stamp import Stamp
from owed.core.state import State, Unread
from owed.engine.pending import Pending, Reply
from owed.engine.store import Writing

logger = logging.getLogger("owed.engine")

BUG = Refused(Code.INTERNAL_ERROR, "This is our fault, and it is logged under the request id. Nothing was changed.")

MOST_BYTES = 2**20
"""Bytes of events after which a batch takes no further command: one refund may tell of a hundred bills at length."""

Decided = list[tuple[Pending, Reply]]


def decide(batch: Iterable[Pending], state: State, stamp: Stamp) -> tuple[Decided, Writing]:
    """Decide the commands of a batch, until there is much to save.

    Returns:
        The reply of each command that was decided, to be given once the writing is saved, and that writing. A command
        that raises is a bug: its reply is a 500, what it has journalled is dropped, and the others never notice.

    Raises:
        Unread: The state holds too little to decide on.
    """
    writing = Writing(state, {})
    decided: Decided = []
    for pending in batch:
        if state.size > MOST_BYTES:
            break
        reply = decide_one(pending, state, stamp)
        if reply.kept and pending.answer_key is not None:
            writing.answers[pending.answer_key] = pending.kept(reply.answer)
        decided.append((pending, reply))
    return decided, writing


def decide_one(pending: Pending, state: State, stamp: Stamp) -> Reply:
    """Decide one command, and let what it did stand for the next."""
    command = pending.command
    journal = Journal(command.tenant_id, command.actor, stamp, pending.settings)
    try:
        outcome = command.decide(state, journal)
        answer = pending.render(outcome)
    except Unread:
        raise
    except Exception:
        logger.exception("a command could not be decided", extra={"request_id": pending.request_id})
        return pending.refusal(BUG)
    if not isinstance(outcome, Refused):
        state.apply(journal)
    return Reply(answer, kept=pending.answer_key is not None and is_kept(outcome))
