"""Reports over HTTP: control totals of a day, and how long what is owed has been due (contract, section 6)."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from owed.api import csv_text, query
from owed.api.accept import preferred
from owed.api.fields import Date, Faults
from owed.api.messages import CSV, JSON, Pieces, Request, Response
from owed.api.periods import DayOrMoment, begins, ends
from owed.api.service import Service
from owed.api.streaming import streamed
from owed.model.tenant_settings import TenantSettings
from owed.store import control_totals
from owed.store.ageing import Aged, aged
from owed.store.control_totals import added_up
from owed.store.streams import Reading

DATE = Date("The day, in your time zone; today.", "2026-01-31")
AS_OF = DayOrMoment(
    "As recorded by the end of this day in your time zone, or at this time; it is not in the future. Now.", "2026-01-31"
)

TICK = timedelta(microseconds=1)
FUTURE = "This must not be in the future."

TOTAL_COLUMNS = ("channel", "method", "currency", *control_totals.NUMBERS)
AGED_COLUMNS = tuple(Aged("", customer_id="bcus_", external_reference="").shown())


class Day(NamedTuple):
    """A day of a merchant's, from its beginning to just before its end."""

    date: date
    since: datetime
    until: datetime


async def retrieve_payment_totals(service: Service, request: Request) -> Response:
    """GET /billing/reports/payments: add up what came in on a day, and what was taken back."""
    faults = Faults()
    given = query.note_unknown(request, faults, ("date",))
    day = day_of(given, request.key.settings, faults)
    query.refuse_faulty(faults)
    is_csv = preferred(request, (JSON, CSV)) == CSV

    async def made(reading: Reading) -> Pieces:
        lines = await added_up(reading, request.key.tenant_id, day.since, day.until)
        yield totals_as_csv(lines) if is_csv else totals_as_json(day, lines)

    headers = csv_text.headers(f"payments-{day.date}") if is_csv else {"content-type": JSON}
    return streamed(service, request, made, headers)


def day_of(given: Mapping[str, str], settings: TenantSettings, faults: Faults) -> Day:
    """Read the day that is asked for, which has begun."""
    today = settings.date_at(datetime.now(UTC))
    day = DATE.check(given["date"], query.place("date"), faults) if "date" in given else today
    if day is UNSET:
        day = today
    if day > today:
        faults.note(query.place("date"), FUTURE)
    return Day(day, begins(day, settings), ends(day, settings))


def totals_as_csv(lines: list[control_totals.Totals]) -> bytes:
    """Write control totals as CSV."""
    return csv_text.header(TOTAL_COLUMNS) + csv_text.rows(TOTAL_COLUMNS, (line.shown() for line in lines))


def totals_as_json(day: Day, lines: list[control_totals.Totals]) -> bytes:
    """Write control totals as a JSON object, with those of each currency."""
    sums = control_totals.by_currency(lines)
    told = {"date": day.date, "from": day.since, "to": day.until}
    return msgspec.json.encode({**told, **{name: shown(found) for name, found in (("data", lines), ("totals", sums))}})


def shown(lines: list[control_totals.Totals]) -> list[dict[str, Any]]:
    """Give lines as they are shown."""
    return [line.shown() for line in lines]


class Moment(NamedTuple):
    """What time a report is as of.

    Attributes:
        until: What was recorded before this counts.
        day: The merchant's date then.
    """

    until: datetime
    day: date


async def retrieve_ageing(service: Service, request: Request) -> Response:
    """GET /billing/reports/ageing: tell what each customer owes on bills, by how long it has been due."""
    faults = Faults()
    given = query.note_unknown(request, faults, ("as_of",))
    asked = as_of(given, request.key.settings, faults)
    query.refuse_faulty(faults)
    tenant_id = request.key.tenant_id
    if preferred(request, (JSON, CSV)) == CSV:
        headers = csv_text.headers(f"ageing-{asked.day}")
        return streamed(service, request, lambda reading: ageing_as_csv(aged(reading, tenant_id, *asked)), headers)
    told = {"as_of": asked.until - TICK, "date": asked.day}
    return streamed(
        service,
        request,
        lambda reading: ageing_as_json(told, aged(reading, tenant_id, *asked)),
        {"content-type": JSON},
    )


def as_of(given: Mapping[str, str], settings: TenantSettings, faults: Faults) -> Moment:
    """Read the time that a report is to be as of, which is not in the future; the end of today is now."""
    now = datetime.now(UTC)
    point = AS_OF.check(given["as_of"], query.place("as_of"), faults) if "as_of" in given else now
    if point is UNSET:
        point = now
    if begins(point, settings) > now:
        faults.note(query.place("as_of"), FUTURE)
    last = point if isinstance(point, datetime) else min(ends(point, settings) - TICK, now)
    return Moment(last + TICK, settings.date_at(last))


async def ageing_as_csv(found: AsyncIterator[list[Aged]]) -> Pieces:
    """Write an ageing report as CSV: the line of each customer and currency."""
    text = csv_text.header(AGED_COLUMNS)
    async for lines in found:
        yield text + csv_text.rows(AGED_COLUMNS, (line.shown() for line in lines))
        text = b""
    yield text


async def ageing_as_json(told: Mapping[str, Any], found: AsyncIterator[list[Aged]]) -> Pieces:
    """Write an ageing report as a JSON object, of which `told` comes first, and what it all comes to last."""
    text = msgspec.json.encode(told).removesuffix(b"}") + b',"data":['
    sums: dict[str, Aged] = {}
    async for lines in found:
        for line in lines:
            sums[line.currency] = sums.get(line.currency, Aged(line.currency)).plus(line)
        yield text + msgspec.json.encode([line.shown() for line in lines])[1:-1]
        text = b","
    totals = msgspec.json.encode([sums[currency].shown() for currency in sorted(sums)])
    yield text.removeprefix(b",") + b'],"totals":' + totals + b"}"
