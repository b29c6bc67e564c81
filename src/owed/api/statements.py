"""Statements over HTTP: what happened to all that a customer owes in a period (contract, section 6)."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import msgspec

from owed.api import csv_text, query
from owed.api.accept import preferred
from owed.api.fields import Choice, Faults, Field
from owed.api.messages import CSV, JSON, Pieces, Request, Response
from owed.api.periods import PERIOD, period
from owed.api.problems import Refusal
from owed.api.service import Service
from owed.api.streaming import streamed
from owed.core.outcomes import not_found
from owed.core.state import Name
from owed.model.customer import Customer
from owed.store.customer_statements import Asked, Basis, Part, Section, parts
from owed.store.entries import DOCUMENTS, START, Entry

BASIS = Choice(
    tuple(Basis),
    "Whether a line is in the period in which it happened, or in that in which it was recorded here.",
    Basis.EFFECTIVE.value,
)

PARAMETERS: Mapping[str, Field] = {**PERIOD, "basis": BASIS}

USUAL = Basis.EFFECTIVE

COLUMNS = (
    "kind", "obligation_id", "external_reference", "row", "amount", "total_after", "currency", "cause", "id",
    "payment_id",
    *DOCUMENTS.values(), "actor", "reason", "occurred_at", "recorded_at",
)  # fmt: skip
"""Of the statement as CSV; a row is `opening`, `line` or `closing`."""


async def retrieve_statement(service: Service, request: Request) -> Response:
    """GET /billing/customers/{customer}/statement: tell, obligation by obligation, what happened in a period."""
    (name,) = request.arguments
    found: Customer | None = await service.lookups.find(Name(Customer.kind, request.key.tenant_id, name))
    if found is None:
        raise Refusal(not_found(Customer.kind, name))
    faults = Faults()
    given = query.note_unknown(request, faults, PARAMETERS)
    basis = BASIS.check(given.get("basis", USUAL.value), query.place("basis"), faults)
    time = period(given, request.key.settings, faults)
    query.refuse_faulty(faults)
    asked = Asked(found.tenant_id, found.id, Basis(basis), time.since or START, time.until)
    if preferred(request, (JSON, CSV)) == CSV:
        return streamed(service, request, lambda reading: as_csv(parts(reading, asked)), csv_text.headers("statement"))
    told = {"customer_id": found.id, "basis": basis, **time.shown()}
    return streamed(service, request, lambda reading: as_json(told, parts(reading, asked)), {"content-type": JSON})


async def as_json(told: Mapping[str, Any], found: AsyncIterator[list[Part]]) -> Pieces:
    """Write a statement as a JSON object, of which `told` comes first."""
    writer = JsonWriter()
    text = msgspec.json.encode(told).removesuffix(b"}") + b',"data":['
    async for some in found:
        yield text + b"".join(map(writer.part, some))
        text = b""
    yield text + b"]}"


class JsonWriter:
    """Writes the parts of a statement as members of a JSON array."""

    def __init__(self) -> None:
        self._before_section = b""

    def part(self, part: Part) -> bytes:
        """Write a part of a section, which may open it, close it, both, or neither."""
        text = self._lines(part.lines)
        if part.opening is not None:
            text = self._opening(part.section, part.opening) + text.removeprefix(b",")
        return text if part.closing is None else b'%b],"closing":%d}' % (text, part.closing)

    def _opening(self, section: Section, opening: int) -> bytes:
        members = {
            f"{section.kind}_id": section.object_id,
            **({"external_reference": section.external_reference} if section.external_reference else {}),
            "currency": section.currency,
            "opening": opening,
        }
        comma, self._before_section = self._before_section, b","
        return comma + msgspec.json.encode(members).removesuffix(b"}") + b',"lines":['

    def _lines(self, lines: list[Entry]) -> bytes:
        return b"," + msgspec.json.encode([line.shown() for line in lines])[1:-1] if lines else b""


async def as_csv(found: AsyncIterator[list[Part]]) -> Pieces:
    """Write a statement as CSV: of each section its opening, its lines and its closing."""
    text = csv_text.header(COLUMNS)
    async for some in found:
        yield text + csv_text.rows(COLUMNS, (row for part in some for row in rows_of(part)))
        text = b""
    yield text


def rows_of(part: Part) -> Iterator[dict[str, Any]]:
    """Yield the rows of a part of a section."""
    kind, object_id, reference, currency = part.section
    section = {"kind": kind, "obligation_id": object_id, "external_reference": reference, "currency": currency}
    if part.opening is not None:
        yield {**section, "row": "opening", "total_after": part.opening}
    for line in part.lines:
        yield {**section, "row": "line", **line.shown()}
    if part.closing is not None:
        yield {**section, "row": "closing", "total_after": part.closing}
