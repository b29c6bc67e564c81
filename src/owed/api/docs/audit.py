"""The audit log, as the documentation tells of it."""

from owed.api.docs.ledger_schemas import words
from owed.api.docs.nouns import identifier
from owed.api.docs.operation import ALWAYS, PAGING, READER, Operation, Operations, Success
from owed.api.docs.parts import AUDIT_FILTERS
from owed.api.docs.schema import moment, objects, page_of
from owed.api.fields import Schema
from owed.model import identifiers

LISTED = """\
Newest first: keys that were made and revoked, settings, rules, webhook endpoints and their secrets, what was sent \
again, all that put right what is owed (a new `balance` or `amount_paid`, voids, refunds, reversals, allocations, \
moves, credits on bills), erasures; and every other command that came with an `Owed-Actor` or an `Owed-Reason`. \
Payments and new objects of which nobody said who made them are not here, for the ledger and the events have them. All \
filters hold at once; times are exclusive bounds."""

AUDIT: Operations = {
    ("/billing/audit", "GET"): Operation(
        "listAudit",
        "List the audit log",
        LISTED,
        "Audit",
        {200: Success("A page of the audit log.", "AuditPage", (), PAGING)},
        ALWAYS,
        (*AUDIT_FILTERS, "Limit", "Cursor", *READER),
    ),
}

EXAMPLE = {
    "id": "att_0352lFAWegd77QZ3oq2gPK",
    "recorded_at": "2026-11-23T20:27:14.182003Z",
    "command": "settings.update",
    "object_id": "settings",
    "key_id": "key_0352lF9jiiTaroGnaxRdVE",
    "actor": "thandi@acme",
    "reason": "as agreed with the council",
}


def schemas_of_audit() -> dict[str, Schema]:
    """Give the schemas of the audit log."""
    return {"AuditRecord": {**record(), "examples": [EXAMPLE]}, "AuditPage": page_of("AuditRecord", EXAMPLE)}


def record() -> Schema:
    """Describe a record as it goes out."""
    always: Schema = {
        "id": identifier(identifiers.ATTRIBUTION, "The record's id."),
        "recorded_at": moment("When it was done."),
        "command": {"type": "string", "description": "What was done, such as `settings.update` or `key.revoke`."},
        "object_id": {"type": "string", "description": "What it was done to: an id, or `settings`."},
        "key_id": {
            "type": "string",
            "description": "The id of the key that it was done with; `cli` where an operator did it on the command "
            "line, whose login name is the `actor`.",
        },
    }
    said: Schema = {
        "actor": words("Who acted: the `Owed-Actor` of the request."),
        "reason": words("Why: the `Owed-Reason` of the request."),
    }
    return objects({**always, **said}, tuple(always), "What somebody did. It never changes.")
