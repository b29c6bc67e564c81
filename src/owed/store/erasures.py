"""Erasures in PostgreSQL: what of their rows is of the command. The other columns are the redaction's."""

from msgspec.structs import astuple

from owed.model.erasure import Erasure
from owed.store.tables import IdTable

FIXED = {"tenant_id": "int", "id": "text"}

CHANGING = {"reference": "text", "up_to": "bigint", "erased_at": "timestamptz", "version": "bigint"}

ERASURES = IdTable(
    Erasure.kind, prefix="", fixed=FIXED, changing=CHANGING, read=lambda row: Erasure(**row), values=astuple
)
"""Their members are in the order of the columns."""
