"""What is recorded beside every change, in its transaction: transfers, events, attributions, kept answers."""

from typing import Any

from msgspec.structs import astuple

from owed.engine.store import AnswerKey, Writing
from owed.model.answer import Answer, KeptAnswer
from owed.model.attribution import Attribution
from owed.store.statements import Part, insert

INSERT_TRANSFERS = insert(
    "transfer",
    tenant_id="int",
    obligation_id="text",
    version="bigint",
    id="text",
    amount="bigint",
    currency="text",
    total_after="bigint",
    debit="text",
    credit="text",
    cause="text",
    key_id="text",
    attribution_id="text",
    attribution_digest="bytea",
    occurred_at="timestamptz",
    recorded_at="timestamptz",
    payment_id="text",
    taken_back_id="text",
    document_id="text",
    hash="bytea",
)

transfer_row = astuple
"""Give the values of a transfer: its members are in the order of its table."""

INSERT_EVENTS = Part(
    "insert_event",
    # Their position is the same for all, and found once.
    """
    INSERT INTO event (tenant_id, object_id, sequence, id, type, body, recorded_at, position)
    SELECT tenant_id, object_id, sequence, id, type, body, recorded_at, (SELECT feed_position()) FROM {rows}
    """,
    (
        ("tenant_id", "int"),
        ("object_id", "text"),
        ("sequence", "bigint"),
        ("id", "text"),
        ("type", "text"),
        ("body", "bytea"),
        ("recorded_at", "timestamptz"),
    ),
)

event_row = astuple
"""Give the values of an event: its members are in the order of its table."""

INSERT_ATTRIBUTIONS = insert(
    "attribution",
    tenant_id="int",
    id="text",
    object_id="text",
    command="text",
    key_id="text",
    actor="text",
    reason="text",
    salt="bytea",
    recorded_at="timestamptz",
)

KEEP_ANSWERS = Part(
    "keep_answer",
    """
    INSERT INTO answer
           (tenant_id, key, fingerprint, status, location, etag, last_modified, body, reapplied, recorded_at)
    SELECT tenant_id, key, fingerprint, status, location, etag, last_modified, body, reapplied, now() FROM {rows}
        ON CONFLICT (tenant_id, key) DO UPDATE
       SET fingerprint = excluded.fingerprint, status = excluded.status, location = excluded.location,
           etag = excluded.etag, last_modified = excluded.last_modified, body = excluded.body,
           reapplied = excluded.reapplied, recorded_at = excluded.recorded_at
     WHERE answer.recorded_at < now() - interval '24 hours'  -- forgotten (contract, 1.4), though not yet pruned
 RETURNING 1
    """,
    (
        ("tenant_id", "int"),
        ("key", "text"),
        ("fingerprint", "bytea"),
        ("status", "smallint"),
        ("location", "text"),
        ("etag", "text"),
        ("last_modified", "text"),
        ("body", "bytea"),
        ("reapplied", "bigint"),
    ),
    guarded=True,
)

CLAIM_KEYS = """
    -- For each key: whether nobody else is deciding it now, and the answer that it keeps. A key that was freed just now
    -- may not show its answer yet; then KEEP_ANSWERS finds it, and the batch is decided again.
    SELECT wanted.tenant_id, wanted.key, wanted.free,
           answer.fingerprint, answer.status, answer.location, answer.etag, answer.last_modified, answer.body,
           answer.reapplied
      FROM (SELECT tenant_id, key, pg_try_advisory_xact_lock(hashtextextended(key, tenant_id)) AS free
              FROM unnest($1::int[], $2::text[]) AS asked (tenant_id, key)) AS wanted
      LEFT JOIN answer ON answer.tenant_id = wanted.tenant_id AND answer.key = wanted.key
                      AND answer.recorded_at >= now() - interval '24 hours'
"""

PRUNE_ANSWERS = """
    -- A small step, so that it never holds many rows.
    DELETE FROM answer
     WHERE (tenant_id, key) IN (SELECT tenant_id, key FROM answer
                                 WHERE recorded_at < now() - interval '24 hours'
                                 ORDER BY recorded_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
 RETURNING 1
"""

END_BACKEND = """
    -- The backend of a lost connection, if it is still there; ended, so that it cannot commit after we have looked.
    SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2
"""

WAS_WRITTEN = """
    -- Whether a batch was saved: its first event is there; where it has none, its first attribution; where it has
    -- neither, its first answer. (An answer alone proves nothing of the rest: another request may have left it under
    -- the same key.)
    SELECT CASE WHEN $2::text IS NOT NULL
                THEN EXISTS (SELECT FROM event WHERE tenant_id = $1 AND id = $2)
                WHEN $4::text IS NOT NULL
                THEN EXISTS (SELECT FROM attribution WHERE tenant_id = $3 AND id = $4)
                ELSE EXISTS (SELECT FROM answer WHERE tenant_id = $5 AND key = $6 AND fingerprint = $7 AND body = $8)
           END
"""


def attribution_row(attribution: Attribution) -> tuple[Any, ...]:
    """Give the values of an attribution, in the order of its table."""
    actor = attribution.actor
    return (
        attribution.tenant_id,
        attribution.id,
        attribution.object_id,
        attribution.command,
        actor.key_id,
        actor.name,
        actor.reason,
        attribution.salt,
        attribution.recorded_at,
    )


def answer_row(key: AnswerKey, kept: KeptAnswer) -> tuple[Any, ...]:
    """Give the values of a kept answer, in the order of its table."""
    answer = kept.answer
    told = (answer.status, answer.location, answer.etag, answer.last_modified, answer.body, answer.reapplied)
    return (*key, kept.fingerprint, *told)


def evidence(writing: Writing) -> tuple[Any, ...]:
    """Give the arguments of WAS_WRITTEN: what only this writing can have put there."""
    event = next(iter(writing.state.events), None)
    words = next(iter(writing.state.attributions), None)
    key = next(iter(writing.answers), None)
    kept = writing.answers[key] if key else None
    return (
        event and event.tenant_id,
        event and event.id,
        words and words.tenant_id,
        words and words.id,
        key and key.tenant_id,
        key and key.key,
        kept and kept.fingerprint,
        kept and kept.answer.body,
    )


def kept_answer(row: Any) -> KeptAnswer:
    """Make the kept answer that a row holds."""
    answer = Answer(row["status"], row["body"], row["location"], row["etag"], row["last_modified"], row["reapplied"])
    return KeptAnswer(row["fingerprint"], answer)
