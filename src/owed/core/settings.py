"""Settings: what a merchant decides for one mode (contract, section 5)."""

from functools import cache
from importlib import resources
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from owed.core.journal import Journal
from owed.core.outcomes import Done, Fault, Outcome, Refused, invalid, not_found
from owed.core.preconditions import IfMatch, stale
from owed.core.state import Name, State
from owed.core.update import renewed
from owed.model.attribution import Actor
from owed.model.tenant_settings import SettingsRecord, TenantSettings


class SettingsMembers(msgspec.Struct, frozen=True, kw_only=True):
    """The members that a request gives of the settings. UNSET: not given.

    Attributes:
        payment_rules: The default rules by kind of object; each is replaced whole, and the others are kept.
    """

    time_zone: str | UnsetType = UNSET
    require_idempotency_key: bool | UnsetType = UNSET
    payment_rules: dict[str, Any] = {}

    def faults(self) -> tuple[Fault, ...]:
        """List what is wrong beyond the form."""
        if self.time_zone is UNSET or self.time_zone in time_zones():
            return ()
        detail = f"{self.time_zone!r} is no time zone of IANA; give one that is, such as Africa/Johannesburg."
        return (Fault("/time_zone", detail),)

    def changed(self, settings: TenantSettings) -> TenantSettings:
        """Give the settings with the members in place."""
        given = {name: getattr(self, name) for name in ("time_zone", "require_idempotency_key")}
        rules = msgspec.structs.replace(settings.payment_rules, **self.payment_rules)
        given = {name: value for name, value in given.items() if value is not UNSET}
        return msgspec.structs.replace(settings, **given, payment_rules=rules)


class UpdateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Change the settings of a tenant.

    Attributes:
        if_match: The versions for which the change is meant.
        faults: What is wrong with the request already, as far as its form goes.
    """

    tenant_id: int
    actor: Actor
    members: SettingsMembers
    if_match: IfMatch = None
    faults: tuple[Fault, ...] = ()

    def reads(self) -> tuple[Name, ...]:
        """Name the settings."""
        return (settings_of(self.tenant_id),)

    def claims(self) -> tuple[Name, ...]:
        """Name nothing: the settings are there from the start."""
        return ()

    def decide(self, state: State, journal: Journal) -> Outcome:
        """Change the settings; where nothing would change, write nothing."""
        standing = state.settings.find(self.tenant_id, SettingsRecord.id)
        if standing is None:
            return not_found(SettingsRecord.kind, SettingsRecord.id)
        return stale(self.if_match, standing.version) or self._invalid() or self._done(standing, journal)

    def _invalid(self) -> Refused | None:
        faults = (*self.faults, *self.members.faults())
        return invalid(faults) if faults else None

    def _done(self, standing: SettingsRecord, journal: Journal) -> Done:
        settings = self.members.changed(standing.settings)
        if settings == standing.settings:
            return Done(standing)
        changed = renewed(msgspec.structs.replace(standing, settings=settings), journal)
        journal.concern(SettingsRecord.id, "settings.update")
        journal.attest()  # no event tells of it, so who did it is what remains
        journal.objects.append(changed)
        return Done(changed)


def settings_of(tenant_id: int) -> Name:
    """Name the settings of a tenant."""
    return Name(SettingsRecord.kind, tenant_id, SettingsRecord.id)


@cache
def time_zones() -> frozenset[str]:
    """Give the names of all time zones, which are the same on every machine."""
    return frozenset((resources.files("tzdata") / "zones").read_text().split())
