"""The story that the examples tell: a demo merchant's requests on one day, and what they become, decided as any are."""

from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any, cast

import msgspec

from owed.api.demo import Asked, Books, Json, demo_requests
from owed.api.fields import Faults
from owed.api.settings import UPDATE, settings_members
from owed.engine.clock import BatchStamp
from owed.model.billing_object import BillingObject
from owed.model.identifiers import IdSource
from owed.model.tenant_settings import SettingsRecord, TenantSettings

MORNING = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)

JOHN = "UCR1234567890"
HIS_ACCOUNT = "UAR1234567890"
HIS_BILL = "UBR1234567890"
WRONG_BILL = "UBR1234567889"
"""One with nothing paid on it, which may be voided."""


STARTING = SettingsRecord(tenant_id=1, settings=TenantSettings(), updated_at=MORNING)
"""The settings of a new merchant."""


@cache
def books() -> Books:
    """Open the demo merchant's books; the ids in them are the same on every worker."""
    ids = IdSource(Random("the demo merchant"))
    opened = Books(1, "key_1", TenantSettings(), lambda: BatchStamp(MORNING, ids))
    for asked in demo_requests(MORNING.date()):
        opened.enter(asked)
    return opened


def standing(kind: str, name: str) -> BillingObject:
    """Give an object as it stands."""
    found = books().state.shelves[kind].find(1, name)
    if found is None:
        raise LookupError(name)
    return cast("BillingObject", found)


def shown(item: BillingObject | SettingsRecord) -> Json:
    """Give an object as an answer has it."""
    answer: Json = msgspec.to_builtins(item.shown())
    return answer


def outcome(asked: Asked) -> Json:
    """Give the answer to a request."""
    return shown(books().outcome(asked))


def settings(**given: Any) -> Json:
    """Give the settings of a new merchant, with what a request gives in place."""
    members = settings_members(UPDATE.check_members(given, "", Faults()))
    return shown(msgspec.structs.replace(STARTING, settings=members.in_place(STARTING.settings)))
