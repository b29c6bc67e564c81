"""Time zones, from data of our own, so that a day begins and ends at the same moment on every machine."""

from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

DATA = resources.files("tzdata")


@cache
def time_zones() -> frozenset[str]:
    """Give the names of all time zones of IANA."""
    return frozenset((DATA / "zones").read_text().split())


@cache
def time_zone(name: str) -> ZoneInfo:
    """Give a time zone by its name, which must be one of `time_zones`."""
    with DATA.joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)
