"""Commands over HTTP: what every request that changes something has in common."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import msgspec

from owed.api import conditions, query
from owed.api.body import BadJson, decode
from owed.api.composites import Object
from owed.api.fields import Faults
from owed.api.idempotency import idempotency, key_fault
from owed.api.messages import JSON, PROBLEM_JSON, Request, Response
from owed.api.problems import problem
from owed.api.service import Service
from owed.core.command import Command, Refuse
from owed.core.outcomes import Done, Outcome, invalid
from owed.engine.pending import Reply
from owed.model.answer import Answer
from owed.model.attribution import Actor
from owed.model.named import Named

WORDS = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,255}").fullmatch


class Form(NamedTuple):
    """A request's form, as far as it could be read.

    Attributes:
        value: The body's JSON value; UNSET where it is no JSON.
        fingerprinted: What of the body tells one request from another.
        faults: All that is wrong so far.
        parameters: Of the query, those that the route knows.
    """

    actor: Actor
    value: Any
    fingerprinted: Any
    faults: Faults
    parameters: dict[str, str]

    def members(self, fields: Object, clearable: frozenset[str] | None = None) -> dict[str, Any]:
        """Give the members of the body that are right, and note the faults of the others; none, where it is no JSON.

        Args:
            clearable: As for `Object.check_members`.
        """
        return {} if self.value is msgspec.UNSET else fields.check_members(self.value, "", self.faults, clearable)


def read_form(request: Request, *, may_be_empty: bool = False, parameters: tuple[str, ...] = ()) -> Form:
    """Read what every changing request has: who acts, a JSON body, and hardly ever a query.

    Args:
        may_be_empty: Whether no body counts as an empty object.
        parameters: Of the query, that the route knows.
    """
    faults = Faults()
    given = query.note_unknown(request, faults, parameters)
    actor = Actor(request.key.id, words(request, "Owed-Actor", faults), words(request, "Owed-Reason", faults))
    if may_be_empty and not request.body:
        return Form(actor, {}, "", faults, given)
    try:
        value = decode(request.body)
    except BadJson as error:
        faults.found += error.faults
        return Form(actor, msgspec.UNSET, request.body, faults, given)
    return Form(actor, value, value, faults, given)


def words(request: Request, header: str, faults: Faults) -> str | None:
    """Give the words of a header: who acts, or why."""
    raw = request.headers.get(header.lower().encode())
    if not raw:
        return None
    try:
        text = raw.decode().strip()
    except UnicodeDecodeError:
        text = ""
    if not WORDS(text):
        faults.note(f"header: {header}", "This must be 1 to 255 printable characters in UTF-8.")
        return None
    return text


async def carry_out(
    service: Service,
    request: Request,
    form: Form,
    command: Command,
    *,
    moves_money: bool = False,
    size: int | None = None,
    rendered: Callable[[Request, Outcome], Answer] | None = None,
) -> Response:
    """Submit a command, and make the response of its reply.

    Args:
        moves_money: Then it needs an idempotency key, whatever the settings say.
        size: Bytes that it may write, where that is more than its body: batches are bounded in them.
        rendered: Makes the answer of the outcome, where that is not the object as it is always shown.
    """
    is_required = moves_money or (request.method == "POST" and request.key.settings.require_idempotency_key)
    if fault := key_fault(request, is_required=is_required):
        command, key = Refuse(request.key.tenant_id, form.actor, invalid([fault])), None
    else:
        key = idempotency(request, form.fingerprinted)
    answering = partial(rendered or render, request)
    size = size or len(request.body)
    reply = await service.engine.submit(command, answering, key, request.id, size, request.key.settings)
    return response(reply)


def render(request: Request, outcome: Outcome) -> Answer:
    """Make the answer of an outcome; for a refusal, problem details."""
    if not isinstance(outcome, Done):
        return problem(outcome, request.base_url, request.path, request.id)
    found = outcome.object
    made = {"status": 201, "location": found.path} if outcome.created else {}
    return msgspec.structs.replace(shown(found), **made, reapplied=outcome.reapplied)


def shown(found: Named) -> Answer:
    """Make the answer that shows an object as it stands."""
    modified = conditions.last_modified(found.updated_at)
    return Answer(200, msgspec.json.encode(found.shown()), None, conditions.etag(found.version), modified)


def response(reply: Reply) -> Response:
    """Make the response of a reply."""
    answer = reply.answer
    headers = {
        "content-type": media_type(answer),
        "location": answer.location,
        "etag": answer.etag,
        "last-modified": answer.last_modified,
        "owed-balance-reapplied": None if answer.reapplied is None else str(answer.reapplied),
        "idempotent-replayed": "true" if reply.replayed else None,
        "retry-after": "1" if reply.passing else None,
    }
    return Response(answer.status, answer.body, {name: value for name, value in headers.items() if value is not None})


def media_type(answer: Answer) -> str | None:
    """Give the media type of an answer, if it has a body."""
    if not answer.body:
        return None
    return JSON if answer.status < 400 else PROBLEM_JSON
