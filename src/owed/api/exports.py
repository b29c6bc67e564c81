"""Exports over HTTP: entries and payments of any number, as CSV (contract, section 6)."""

from typing import Final

from owed.api import csv_text, query
from owed.api.fields import Faults
from owed.api.messages import Pieces, Request, Response
from owed.api.periods import PERIOD, period
from owed.api.service import Service
from owed.api.streaming import stream
from owed.model.identifiers import EPOCH
from owed.store.exports import ENTRIES, PAYMENTS, lines
from owed.store.streams import Reading

NAMES: Final = {"entries": ENTRIES, "payments": PAYMENTS}


class Exporting:
    """The export of a table."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def respond(self, service: Service, request: Request) -> Response:
        """GET: export all that was recorded, or what was in a period."""
        faults = Faults()
        given = query.note_unknown(request, faults, PERIOD)
        since, until = period(given, request.key.settings, faults)
        query.refuse_faulty(faults)
        export, tenant_id = NAMES[self.name], request.key.tenant_id

        async def made(reading: Reading) -> Pieces:
            text = csv_text.header(export.columns)
            async for some in lines(reading, export, tenant_id, since or EPOCH, until):
                yield text + some
                text = b""
            yield text

        return stream(service.streams, service.exports, request, made, csv_text.headers(self.name))
