"""Settings: what a merchant decides for one mode (contract, section 5)."""

from collections.abc import Iterator
from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from owed.core.change import Change
from owed.core.journal import Journal
from owed.core.outcomes import Fault
from owed.core.state import Name
from owed.model.payment_rules import BillRules, PaymentRules
from owed.model.tenant_settings import SettingsRecord, TenantSettings
from owed.model.time_zones import time_zones

PLAIN = ("time_zone", "require_idempotency_key", "payments_reduce_balance", "duplicate_minutes")
"""The members that are put in place as they are given."""


class SettingsMembers(Change[SettingsRecord], frozen=True, kw_only=True):
    """The members that a request gives of the settings. UNSET: not given.

    Attributes:
        payment_rules: The default rules by kind of object; each is replaced whole, and the others are kept.
    """

    kind: ClassVar[str] = SettingsRecord.kind

    time_zone: str | UnsetType = UNSET
    require_idempotency_key: bool | UnsetType = UNSET
    payment_rules: dict[str, PaymentRules | BillRules] = msgspec.field(default_factory=dict)
    payments_reduce_balance: bool | UnsetType = UNSET
    duplicate_minutes: int | UnsetType = UNSET

    def faults(self, standing: SettingsRecord) -> Iterator[Fault]:
        """Yield the fault of a time zone that there is not."""
        if self.time_zone is not UNSET and self.time_zone not in time_zones():
            detail = f"{self.time_zone!r} is no time zone of IANA; give one that is, such as Africa/Johannesburg."
            yield Fault("/time_zone", detail)

    def changed(self, standing: SettingsRecord, journal: Journal) -> SettingsRecord:
        """Give the settings with the members in place."""
        return msgspec.structs.replace(standing, settings=self.in_place(standing.settings))

    def in_place(self, settings: TenantSettings) -> TenantSettings:
        """Give the values with those of the members in place."""
        given = {name: getattr(self, name) for name in PLAIN}
        given = {name: value for name, value in given.items() if value is not UNSET}
        rules = msgspec.structs.replace(settings.payment_rules, **self.payment_rules)
        return msgspec.structs.replace(settings, **given, payment_rules=rules)

    def recorded(self, before: SettingsRecord, after: SettingsRecord, journal: Journal) -> SettingsRecord:
        """Record the change. No event tells of it, so who did it is what remains."""
        journal.attest()
        journal.objects.append(after)
        return after


def settings_of(tenant_id: int) -> Name:
    """Name the settings of a tenant."""
    return Name(SettingsRecord.kind, tenant_id, SettingsRecord.id)
