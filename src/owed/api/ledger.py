"""The ledger over HTTP: times that are past, and the trial balance (contract, section 6)."""

from datetime import UTC, datetime

from owed.api import query
from owed.api.fields import Faults
from owed.api.filters import IN_CURRENCY
from owed.api.messages import Request, Response, json_response
from owed.api.service import Service
from owed.store.list_queries import END

AS_OF = "as_of"


async def retrieve_trial_balance(service: Service, request: Request) -> Response:
    """GET /billing/ledger/trial-balance: sum up every account of the ledger, now or as of a time."""
    faults = Faults()
    given = query.note_unknown(request, faults, ("currency", AS_OF))
    currency = given.get("currency")
    if currency is not None:
        IN_CURRENCY.check(currency, query.place("currency"), faults)
    moment = as_of(given, faults)
    query.refuse_faulty(faults)
    now = datetime.now(UTC)
    lines = await service.trial_balances.draw_up(request.key.tenant_id, currency, moment or END)
    body = {AS_OF: moment or now, "data": [line.shown() for line in lines]}
    return json_response(body)


def as_of(given: dict[str, str], faults: Faults) -> datetime | None:
    """Read the time that is asked about, which is not in the future; None where it is now."""
    if AS_OF not in given:
        return None
    moment = query.timestamp(given[AS_OF], AS_OF, faults)
    if moment is not None and moment > datetime.now(UTC):
        faults.note(query.place(AS_OF), "This must not be in the future.")
    return moment
