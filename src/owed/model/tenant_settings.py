"""What a merchant has decided for one mode, test or live (contract, section 5)."""

from datetime import UTC, date, datetime, time
from typing import Any, ClassVar

import msgspec

from owed.model.payment_rules import DefaultRules
from owed.model.time_zones import time_zone

MOST_DUPLICATE_MINUTES = 1440


class TenantSettings(msgspec.Struct, frozen=True):
    """The settings of one tenant, with the values that a new merchant starts with.

    Attributes:
        time_zone: An IANA name: where the merchant's days begin and end.
        payments_reduce_balance: Whether what is paid to a balance lowers it; else the merchant's own system does
            that, and sends the new one.
        duplicate_minutes: How long after a payment another that looks the same may be the same; 0: nobody looks.
    """

    time_zone: str = "UTC"
    require_idempotency_key: bool = False
    payment_rules: DefaultRules = DefaultRules()
    payments_reduce_balance: bool = True
    duplicate_minutes: int = 10

    def date_at(self, moment: datetime) -> date:
        """Give the merchant's date at a moment."""
        return moment.astimezone(time_zone(self.time_zone)).date()

    def beginning_of(self, day: date) -> datetime:
        """Give the moment at which a date of the merchant's begins, in UTC."""
        return datetime.combine(day, time.min, time_zone(self.time_zone)).astimezone(UTC)


class SettingsRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a tenant as an object that can be changed: there is one, and it goes by one name.

    Attributes:
        version: Counts the changes; the ETag.
    """

    kind: ClassVar[str] = "settings"
    path: ClassVar[str] = "/billing/settings"
    id: ClassVar[str] = "settings"
    names: ClassVar[tuple[str, ...]] = ("settings",)

    tenant_id: int
    settings: TenantSettings
    updated_at: datetime
    version: int = 1

    def members(self) -> dict[str, Any]:
        """Give the members of the settings, all of which are always set."""
        return msgspec.structs.asdict(self.settings)

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows."""
        return self.members()
