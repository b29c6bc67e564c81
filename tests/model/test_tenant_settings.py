from datetime import UTC, date, datetime, timedelta

import pytest

from owed.model.tenant_settings import TenantSettings

JUST_BEFORE = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("zone", "turn", "day"),
    [
        ("UTC", "2026-03-04T00:00Z", date(2026, 3, 4)),
        ("Africa/Johannesburg", "2026-03-04T22:00Z", date(2026, 3, 5)),
        ("Asia/Kathmandu", "2026-03-04T18:15Z", date(2026, 3, 5)),
        ("Pacific/Kiritimati", "2026-03-04T10:00Z", date(2026, 3, 5)),
        ("Pacific/Pago_Pago", "2026-03-05T11:00Z", date(2026, 3, 5)),
        ("America/New_York", "2026-03-08T05:00Z", date(2026, 3, 8)),  # the night in which summer time begins
        ("America/New_York", "2026-03-09T04:00Z", date(2026, 3, 9)),
        ("America/New_York", "2026-11-01T04:00Z", date(2026, 11, 1)),  # and in which it ends
        ("America/New_York", "2026-11-02T05:00Z", date(2026, 11, 2)),
        ("Asia/Beirut", "2026-03-28T22:00Z", date(2026, 3, 29)),  # a day that begins at one o'clock
        ("Asia/Beirut", "2026-10-24T22:00Z", date(2026, 10, 25)),  # after an hour that came twice
        ("Pacific/Apia", "2011-12-30T10:00Z", date(2011, 12, 31)),  # where there was no 30th
    ],
)
def test_a_merchants_day_turns_when_it_does_where_he_is(zone: str, turn: str, day: date) -> None:
    settings, moment = TenantSettings(time_zone=zone), datetime.fromisoformat(turn)

    assert settings.date_at(moment) == day
    assert settings.date_at(moment - JUST_BEFORE) < day
    assert settings.beginning_of(day) == moment


def test_an_hour_that_comes_twice_is_of_one_day() -> None:
    """In Beirut the clock goes back at midnight, to eleven in the evening of the same day."""
    settings, midnight = TenantSettings(time_zone="Asia/Beirut"), datetime(2026, 10, 24, 21, tzinfo=UTC)

    dates = {settings.date_at(midnight + timedelta(minutes=minutes)) for minutes in range(-60, 60)}
    assert dates == {date(2026, 10, 24)}
