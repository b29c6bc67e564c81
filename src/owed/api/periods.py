"""Periods of statements, reports and exports: days of the merchant's, or times to the microsecond."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from msgspec import UNSET

from owed.api import query
from owed.api.fields import TIMESTAMP, Date, Faults, Moment, Schema, is_date
from owed.model.tenant_settings import TenantSettings

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9999, 1, 1)
"""Days before and after these are as good as they."""

DAY = timedelta(days=1)


class DayOrMoment:
    """A day of the calendar, or a time in UTC that ends in Z."""

    def __init__(self, description: str, example: str) -> None:
        self._day, self._moment = Date("", example), Moment("", example, is_bound=True)
        self.schema: Schema = {
            "type": "string",
            "anyOf": [{"format": "date"}, {"format": "date-time", "pattern": f"^{TIMESTAMP}$"}],
            "description": description,
            "examples": [example],
        }

    def check(self, value: Any, pointer: str, faults: Faults) -> Any:
        """Give the day or the time, if there is such a one."""
        found = Faults()
        field = self._day if is_date(value) else self._moment
        if (checked := field.check(value, pointer, found)) is not UNSET:
            return checked
        return faults.note(
            pointer, "This must be a date, such as 2026-01-31, or a time in UTC that ends in Z: 2026-01-31T09:30:00Z."
        )


FROM = DayOrMoment("From the beginning of this day in your time zone, or from this time on.", "2026-01-01")
TO = DayOrMoment("To the end of this day in your time zone, or until just before this time; now.", "2026-01-31")
PERIOD = {"from": FROM, "to": TO}


class Period(NamedTuple):
    """A stretch of time: from one moment on, and until just before another.

    Attributes:
        since: None: from the beginning.
    """

    since: datetime | None
    until: datetime

    def shown(self) -> dict[str, datetime]:
        """Give the members that tell of it."""
        return {**({"from": self.since} if self.since else {}), "to": self.until}


def period(given: dict[str, str], settings: TenantSettings, faults: Faults) -> Period:
    """Read the period that is asked for; without an end it ends now."""
    checked = {
        name: field.check(given[name], query.place(name), faults) for name, field in PERIOD.items() if name in given
    }
    now = datetime.now(UTC)
    if UNSET in checked.values():
        return Period(None, now)
    since = begins(checked["from"], settings) if "from" in checked else None
    until = ends(checked["to"], settings) if "to" in checked else now
    if since and since > until:
        faults.note(query.place("from"), "This must not be after `to`.")
    return Period(since, until)


def begins(point: date, settings: TenantSettings) -> datetime:
    """Give the moment at which a day begins, or a time itself."""
    return point if isinstance(point, datetime) else settings.beginning_of(min(max(point, FIRST_DAY), LAST_DAY))


def ends(point: date, settings: TenantSettings) -> datetime:
    """Give the moment at which a day has ended, or a time itself."""
    return point if isinstance(point, datetime) else begins(min(point, LAST_DAY) + DAY, settings)
