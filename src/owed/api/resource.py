"""A kind of object over HTTP, one at a time: create, retrieve, update (contract, sections 1 to 4)."""

from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET

from owed.api import conditions, ledger, query
from owed.api.commands import Form, carry_out, read_form
from owed.api.composites import Object
from owed.api.fields import Faults
from owed.api.forms import read_members
from owed.api.messages import JSON, MERGE_PATCH, Request, Response, json_response
from owed.api.problems import Refusal
from owed.api.service import Service
from owed.core.change import Change
from owed.core.command import Command, Refuse
from owed.core.create import Create
from owed.core.members import Members
from owed.core.outcomes import Code, Refused, invalid, not_found
from owed.core.state import Name
from owed.core.update import Update
from owed.model.billing_object import BillingObject
from owed.model.named import Named

Noun = TypeVar("Noun", bound=BillingObject)


class Resource(Generic[Noun]):
    """The operations that every kind of object has.

    Args:
        members: Takes what a request gives.
        create: What the members of a new object may be.
        update: What those of a PATCH may be.
        change: The command of a PATCH.
    """

    def __init__(
        self, members: type[Members[Noun]], create: Object, update: Object, change: type[Update] = Update
    ) -> None:
        self.kind = members.kind
        self.create_form, self.update_form = create, update
        self.clearable = frozenset(members.settable)
        self.change = change
        self._members = members

    async def create(self, service: Service, request: Request) -> Response:
        """POST: create an object, and whatever is inline in it."""
        form = read_form(request)
        return await carry_out(service, request, form, self._creation(request, form))

    async def update(self, service: Service, request: Request) -> Response:
        """PATCH: change the given members. Only a merge patch clears: elsewhere null means not given."""
        form = read_form(request)
        clearable = self.clearable if request.media_type == MERGE_PATCH else None
        members = self._read(form, self.update_form, clearable)
        return await carry_out(
            service, request, form, update(request, form, members, *request.arguments, change=self.change)
        )

    async def retrieve(self, service: Service, request: Request) -> Response:
        """GET: retrieve an object by id or external reference, as it is or with what was owed at a time."""
        (name,) = request.arguments
        found = await service.lookups.find(Name(self.kind, request.key.tenant_id, name))
        if found is None:
            raise Refusal(not_found(self.kind, name))
        moment = requested_time(request)
        return shown(request, found) if moment is None else await shown_as_of(service, moment, found)

    def _creation(self, request: Request, form: Form) -> Command:
        if form.value is UNSET:  # nobody can say what else it lacks
            return Refuse(request.key.tenant_id, form.actor, invalid(form.faults.found))
        return Create(
            tenant_id=request.key.tenant_id,
            actor=form.actor,
            members=self._read(form, self.create_form, None),
            settings=request.key.settings,
            faults=tuple(form.faults.found),
        )

    def _read(self, form: Form, fields: Object, clearable: frozenset[str] | None) -> Members[Noun]:
        if form.value is UNSET:
            return self._members()
        return read_members(fields, self._members, form.value, "", form.faults, clearable)


def update(request: Request, form: Form, members: Change[Any], name: str, *, change: type[Update] = Update) -> Update:
    """Make the command that changes an object by its id or external reference."""
    if_match = conditions.if_match(request.header(b"if-match"), form.faults)
    return change(
        tenant_id=request.key.tenant_id,
        actor=form.actor,
        name=name,
        members=members,
        if_match=if_match,
        faults=tuple(form.faults.found),
    )


def requested_time(request: Request) -> datetime | None:
    """Give the time that a request for an object asks about; None where it is now."""
    faults = Faults()
    moment = ledger.as_of(query.note_unknown(request, faults, (ledger.AS_OF,)), faults)
    query.refuse_faulty(faults)
    return moment


async def shown_as_of(service: Service, moment: datetime, found: BillingObject) -> Response:
    """Make the response that shows an object as of a time: it has no version, for it is none that ever stood."""
    if moment < found.created_at:
        raise Refusal(Refused(Code.NOT_FOUND, f"There was no such {found.kind} yet: it is newer than `as_of`."))
    then = await service.past.at(moment, found)
    return json_response(then.shown())


def shown(request: Request, found: Named) -> Response:
    """Make the response that shows an object, or that the client has this version of it already."""
    tag = conditions.etag(found.version)
    headers = {"etag": tag, "last-modified": conditions.last_modified(found.updated_at)}
    if conditions.is_unmodified(request.header(b"if-none-match"), tag):
        return Response(304, headers=headers)
    headers["content-type"] = JSON
    return Response(200, msgspec.json.encode(found.shown()), headers)
