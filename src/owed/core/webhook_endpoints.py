"""Webhook endpoints: how one is made, changed, deleted, and given a new secret (contract, section 7)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from owed.core.change import Change
from owed.core.journal import TICK, Journal
from owed.core.members import certain
from owed.core.outcomes import Code, Done, Fault, Outcome, Refused, invalid
from owed.core.preconditions import IfMatch, stale
from owed.core.state import Name, State
from owed.core.update import renewed
from owed.model.attribution import Actor
from owed.model.identifiers import ENDPOINT, SECRET
from owed.model.webhook_endpoint import DEFAULT_TYPES, DisabledReason, Secret, WebhookEndpoint, secret_of

MOST_ENDPOINTS = 100
"""Endpoints of a tenant."""

MOST_SECRETS = 5
"""Secrets of an endpoint that are valid at the same time: each signs every attempt."""

LONGEST_OVERLAP = 604_800
"""Seconds that an old secret may go on signing beside a new one."""

OVERLAP = 86_400
"""The same where nobody says how long."""


class Backlog(StrEnum):
    """What becomes of what an endpoint has missed while it was disabled."""

    RESUME = "resume"
    SKIP = "skip"


class EndpointChange(Change[WebhookEndpoint], frozen=True, kw_only=True):
    """A change of an endpoint. No event tells of it, so who did it is what remains."""

    kind: ClassVar[str] = WebhookEndpoint.kind

    def absent(self, name: str) -> Refused:
        """Refuse for want of the endpoint."""
        return no_endpoint(name)

    def recorded(self, before: WebhookEndpoint, after: WebhookEndpoint, journal: Journal) -> WebhookEndpoint:
        """Record the change."""
        journal.attest()
        return journal.keep(after)


class EndpointMembers(EndpointChange, frozen=True, kw_only=True):
    """The members that a request gives of an endpoint. UNSET: not given. None: to be cleared.

    Attributes:
        types: The request calls them events.
        backlog: Goes with what enables an endpoint again, and with nothing else.
        faulty: Members that were given in a form that is wrong: nothing follows from their being UNSET.
    """

    fixed: ClassVar[tuple[str, ...]] = ("id", "listener", "created_at")
    derived: ClassVar[tuple[str, ...]] = ("disabled_reason", "secret_id", "updated_at")

    url: str | UnsetType = UNSET
    types: tuple[str, ...] | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    backlog: Backlog | UnsetType = UNSET
    faulty: frozenset[str] = frozenset()

    def faults(self, standing: WebhookEndpoint) -> Iterator[Fault]:
        """Yield the fault of a backlog of which nothing is said, or too much."""
        if self.faulty.isdisjoint({"enabled", "backlog"}):
            is_resuming = self.enabled is True and not standing.enabled
            if is_resuming and self.backlog is UNSET:
                detail = "This becomes enabled again: say whether to resume with what it has missed, or to skip that."
                yield Fault("/backlog", detail)
            if not is_resuming and self.backlog is not UNSET:
                yield Fault("/backlog", "This goes only with what enables an endpoint that is disabled; leave it out.")

    def changed(self, standing: WebhookEndpoint, journal: Journal) -> WebhookEndpoint:
        """Give the endpoint with the members in place."""
        changed = replace(standing, **self.plain())
        if self.enabled is False and standing.enabled:
            return disabled(changed)
        is_enabled_again = self.enabled is True and not standing.enabled
        is_moved = standing.enabled and changed.url != standing.url  # what waited for the old place waits no longer
        return self._resumed(changed, journal.stamp.now) if is_enabled_again or is_moved else changed

    def plain(self) -> dict[str, Any]:
        """Give the members that are put in place as they are given."""
        given = {"url": self.url, "types": self.types, "description": self.description}
        return {name: value for name, value in given.items() if value is not UNSET}

    def _resumed(self, endpoint: WebhookEndpoint, now: datetime) -> WebhookEndpoint:
        """Give the endpoint enabled, as of a time by which workers tell this enabling from the one before."""
        resumed_at = max(now, endpoint.resumed_at + TICK)
        starts_at = resumed_at if self.backlog == Backlog.SKIP else endpoint.starts_at
        return replace(endpoint, enabled=True, disabled_reason=None, starts_at=starts_at, resumed_at=resumed_at)


class Deletion(EndpointChange, frozen=True, kw_only=True):
    """The deletion of an endpoint, for good."""

    verb: ClassVar[str] = "delete"

    def changed(self, standing: WebhookEndpoint, journal: Journal) -> WebhookEndpoint:
        """Give the endpoint deleted."""
        return replace(standing, deleted_at=journal.stamp.now)


class CreateEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Create an endpoint. It gets what is recorded from now on.

    Attributes:
        standing: How many the tenant has.
        faults: What is wrong with the request already, as far as its form goes.
    """

    tenant_id: int
    actor: Actor
    members: EndpointMembers
    standing: int = 0
    is_listener: bool = False
    faults: tuple[Fault, ...] = ()

    def reads(self) -> tuple[Name, ...]:
        """Name nothing: an endpoint belongs to nothing."""
        return ()

    def claims(self) -> tuple[Name, ...]:
        """Name nothing: an endpoint has no name of the merchant's."""
        return ()

    def decide(self, state: State, journal: Journal) -> Outcome:
        """Create the endpoint, unless its form or the number of them forbids it."""
        if self.faults:
            return invalid(self.faults)
        if self.standing >= MOST_ENDPOINTS:
            detail = f"There are {self.standing} webhook endpoints, and {MOST_ENDPOINTS} is the most; delete one first."
            return Refused(Code.CONFLICT, detail)
        made = self._made(journal)
        journal.concern(made.id, f"{made.kind}.create")
        journal.attest()
        return Done(journal.keep(made), created=True)

    def _made(self, journal: Journal) -> WebhookEndpoint:
        now = journal.stamp.now
        endpoint = WebhookEndpoint(
            tenant_id=self.tenant_id,
            id=journal.stamp.new_id(ENDPOINT),
            **{"types": DEFAULT_TYPES, **self.members.plain(), "url": certain(self.members.url)},
            secrets=(new_secret(journal),),
            is_listener=self.is_listener,
            starts_at=now,
            resumed_at=now,
            created_at=now,
            updated_at=now,
        )
        return disabled(endpoint) if self.members.enabled is False else endpoint


class RotateSecret(msgspec.Struct, frozen=True, kw_only=True):
    """Give an endpoint a new secret, and let the others go on signing for a while.

    Attributes:
        expires_in: Seconds that the others stay valid, at most.
        faults: What is wrong with the request already, as far as its form goes.
    """

    tenant_id: int
    actor: Actor
    endpoint: str
    if_match: IfMatch = None
    expires_in: int = OVERLAP
    faults: tuple[Fault, ...] = ()

    def reads(self) -> tuple[Name, ...]:
        """Name the endpoint."""
        return (Name(WebhookEndpoint.kind, self.tenant_id, self.endpoint),)

    def claims(self) -> tuple[Name, ...]:
        """Name nothing."""
        return ()

    def decide(self, state: State, journal: Journal) -> Outcome:
        """Make the secret, unless too many would be valid; those that are not any more are forgotten."""
        standing = state.webhook_endpoints.find(self.tenant_id, self.endpoint)
        if standing is None:
            return no_endpoint(self.endpoint)
        if refusal := stale(self.if_match, standing.version) or (invalid(self.faults) if self.faults else None):
            return refusal
        lasting = tuple(self._lasting(standing, journal.stamp.now))
        if len(lasting) >= MOST_SECRETS:
            return too_many(lasting)
        journal.concern(standing.id, f"{standing.kind}.rotate_secret")
        journal.attest()
        rotated = replace(standing, secrets=(new_secret(journal), *lasting))
        return Done(journal.keep(renewed(rotated, journal)))

    def _lasting(self, endpoint: WebhookEndpoint, now: datetime) -> Iterator[Secret]:
        """Yield the secrets that stay valid beside a new one, none of them longer than it would have been."""
        end = now + timedelta(seconds=self.expires_in)
        for secret in endpoint.secrets_at(now):
            lasting = replace(secret, expires_at=min(end, secret.expires_at or end))
            if lasting.is_valid_at(now):
                yield lasting


def disabled(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """Give an endpoint as its merchant disables it: its place in the feed stays where it is."""
    return replace(endpoint, enabled=False, disabled_reason=DisabledReason.REQUESTED)


def new_secret(journal: Journal) -> Secret:
    """Make a secret."""
    stamp = journal.stamp
    return Secret(id=stamp.new_id(SECRET), value=secret_of(stamp.new_secret()), created_at=stamp.now)


def too_many(lasting: tuple[Secret, ...]) -> Refused:
    """Refuse a further secret beside those that stay valid."""
    first = min(secret.expires_at for secret in lasting if secret.expires_at)
    detail = (
        f"{len(lasting)} secrets would stay valid beside the new one, and {MOST_SECRETS} in all is the most. The first "
        f"of them expires at {first:%Y-%m-%dT%H:%M:%SZ}; wait until then, or end them all now with an expires_in of 0."
    )
    return Refused(Code.CONFLICT, detail)


def no_endpoint(name: str) -> Refused:
    """Refuse for want of the endpoint that a path names."""
    return Refused(Code.NOT_FOUND, f"There is no webhook endpoint with the id {name!r} for this key.")
