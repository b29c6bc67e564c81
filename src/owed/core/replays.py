"""Replays: events that an endpoint is to get again, one of them or those of a time (contract, section 7)."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from owed.core.journal import Journal
from owed.core.outcomes import Code, Done, Fault, Outcome, Refused, invalid
from owed.core.state import Name, State
from owed.core.times import future_faults
from owed.core.webhook_endpoints import no_endpoint
from owed.model.attribution import Actor
from owed.model.identifiers import REPLAY
from owed.model.replay import Replay
from owed.model.webhook_endpoint import EVERY_TYPE, WebhookEndpoint


class Redelivery(msgspec.Struct, frozen=True):
    """What came of a request to send one event again: a replay for each endpoint that gets it."""

    kind: ClassVar[str] = "redelivery"

    replays: tuple[Replay, ...]

    @property
    def tenant_id(self) -> int:
        """Give the tenant of the event."""
        return self.replays[0].tenant_id

    @property
    def id(self) -> str:
        """Give the id of the event."""
        return self.replays[0].event_id or ""

    @property
    def names(self) -> tuple[str, ...]:
        """Give what it goes by beside its id, which is nothing."""
        return ()

    @property
    def path(self) -> str:
        """Give where the API tells how it goes on."""
        return f"/billing/events/{self.id}/deliveries"

    @property
    def version(self) -> int:
        """Give the version, of which there is only one."""
        return 1

    @property
    def updated_at(self) -> datetime:
        """Give when it was asked for."""
        return self.replays[0].created_at

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows."""
        return {"data": [replay.shown() for replay in self.replays]}


class Redeliver(msgspec.Struct, frozen=True, kw_only=True):
    """Send one event again.

    Attributes:
        event_id: As the path has it.
        event_type: None where there is no such event.
        endpoint: The one that is to get it, whatever its types; UNSET: those of `endpoints` that take its type.
        faults: What is wrong with the request already, as far as its form goes.
    """

    tenant_id: int
    actor: Actor
    event_id: str
    event_type: str | None
    endpoint: str | UnsetType = UNSET
    endpoints: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()

    def reads(self) -> tuple[Name, ...]:
        """Name the endpoints that may get it."""
        names = self.endpoints if self.endpoint is UNSET else (self.endpoint,)
        return tuple(Name(WebhookEndpoint.kind, self.tenant_id, name) for name in names)

    def claims(self) -> tuple[Name, ...]:
        """Name nothing: nothing is taken."""
        return ()

    def decide(self, state: State, journal: Journal) -> Outcome:
        """Ask for a replay to each endpoint that is to get the event."""
        if self.event_type is None:
            return no_event(self.event_id)
        if self.faults:
            return invalid(self.faults)
        getting = self._getting(self.event_type, standing(state, self.reads()))
        if isinstance(getting, Refused):
            return getting
        journal.concern(self.event_id, "event.redeliver")
        replays = tuple(kept(journal, endpoint, event_id=self.event_id) for endpoint in getting)
        return Done(Redelivery(replays), created=True)

    def _getting(self, event_type: str, found: list[WebhookEndpoint]) -> list[WebhookEndpoint] | Refused:
        """Give the endpoints that are to get the event, of which there must be one."""
        if self.endpoint is UNSET:
            takers = [endpoint for endpoint in found if endpoint.enabled and takes(endpoint, event_type)]
            detail = f"No endpoint that is enabled takes {event_type}; enable one, or name the one that is to get it."
            return takers or Refused(Code.CONFLICT, detail)
        if not found:
            refusal = no_endpoint(self.endpoint)
            return Refused(refusal.code, refusal.detail, (Fault("/endpoint", refusal.detail),))
        return found if found[0].enabled else not_enabled(found[0], "/endpoint")


class ReplayEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Send the events of a time again.

    Attributes:
        endpoint: Its id.
        since: Of events recorded then or later; UNSET: not given, or given in a form that is wrong.
        until: The last moment of them.
        types: Of these types; `*` is all.
        only_failed: Only those that were attempted at this endpoint, and never with success.
        faults: What is wrong with the request already, as far as its form goes.
    """

    tenant_id: int
    actor: Actor
    endpoint: str
    since: datetime | UnsetType = UNSET
    until: datetime
    types: tuple[str, ...] = ()
    only_failed: bool = False
    faults: tuple[Fault, ...] = ()

    @property
    def period(self) -> dict[str, Any]:
        """Give the members that say which events are sent."""
        return {name: getattr(self, name) for name in ("since", "until", "types", "only_failed")}

    def reads(self) -> tuple[Name, ...]:
        """Name the endpoint."""
        return (Name(WebhookEndpoint.kind, self.tenant_id, self.endpoint),)

    def claims(self) -> tuple[Name, ...]:
        """Name nothing: nothing is taken."""
        return ()

    def decide(self, state: State, journal: Journal) -> Outcome:
        """Ask for the replay, unless its form, an absent endpoint or a disabled one forbids it."""
        found = self.check(state, journal.stamp.now)
        if isinstance(found, Refused):
            return found
        journal.concern(found.id, f"{found.kind}.replay")
        return Done(kept(journal, found, **self.period), created=True)

    def check(self, state: State, now: datetime) -> WebhookEndpoint | Refused:
        """Give the endpoint that would get the events, or say why it would not."""
        found = standing(state, self.reads())
        if not found:
            return no_endpoint(self.endpoint)
        if faults := (*self.faults, *self._further_faults(now)):
            return invalid(faults)
        return found[0] if found[0].enabled else not_enabled(found[0])

    def _further_faults(self, now: datetime) -> Iterator[Fault]:
        """Yield what is wrong beyond the form."""
        yield from future_faults("/since", self.since, now)
        yield from future_faults("/until", self.until, now)
        if self.since is not UNSET and self.until < self.since <= now:
            yield Fault("/until", "This must not be before `since`.")


def standing(state: State, names: Iterable[Name]) -> list[WebhookEndpoint]:
    """Give the endpoints of some names, as far as they are there."""
    found = [state.webhook_endpoints.find(name.tenant_id, name.text) for name in names]
    return [endpoint for endpoint in found if endpoint is not None]


def takes(endpoint: WebhookEndpoint, event_type: str) -> bool:
    """Tell whether an endpoint asks for events of a type."""
    return EVERY_TYPE in endpoint.types or event_type in endpoint.types


def kept(journal: Journal, endpoint: WebhookEndpoint, **what: Any) -> Replay:
    """Keep a replay to an endpoint. No event tells of it, so who asked for it is what remains."""
    journal.attest()
    stamp = journal.stamp
    replay_id = stamp.new_id(REPLAY)
    return journal.keep(
        Replay(tenant_id=journal.tenant_id, id=replay_id, endpoint_id=endpoint.id, created_at=stamp.now, **what)
    )


def not_enabled(endpoint: WebhookEndpoint, *pointers: str) -> Refused:
    """Refuse to send anything to an endpoint that is disabled."""
    detail = f"The endpoint {endpoint.id} is disabled ({endpoint.disabled_reason}); enable it first."
    return Refused(Code.CONFLICT, detail, tuple(Fault(pointer, detail) for pointer in pointers))


def no_event(name: str) -> Refused:
    """Refuse for want of the event that a path names."""
    return Refused(Code.NOT_FOUND, f"There is no event with the id {name!r} for this key.")
