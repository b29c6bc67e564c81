"""A merchant's own client, written from the public API's documentation: all that changed is its base URL and key."""

import json as jsonlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode
from uuid import uuid4

from tests.contract.client import JSON, PROBLEM, Answer, Client, Json


class Habit(StrEnum):
    """How clients of the public API differ; each of them is right."""

    AS_DOCUMENTED = "as documented"
    KEYED = "an Idempotency-Key, and each write sent twice"
    NULLS = "every unset member as null"
    WHOLE = "whole objects sent back"


MEMBERS: Final = {
    "customer": [
        "id", "external_reference", "name", "email", "phone", "currency", "balance", "payment_rules", "metadata",
    ],
    "account": ["id", "external_reference", "customer_id", "name", "currency", "balance", "payment_rules", "metadata"],
    "bill": [
        "id", "external_reference", "customer_id", "account_id", "status", "currency", "amount_due", "amount_paid",
        "amount_remaining", "bill_date", "due_date", "payment_rules", "metadata",
    ],
}  # fmt: skip
"""The members that an object of each kind shows."""

PARENTS: Final = {"customer": [], "account": ["customer"], "bill": ["customer", "account"]}
"""The members that say, on create, what a new object belongs to."""


@dataclass(frozen=True)
class AnId:
    """Equals every id of one kind."""

    prefix: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and re.fullmatch(f"{self.prefix}_[a-zA-Z0-9]+", other) is not None

    def __hash__(self) -> int:
        return hash(self.prefix)


class Biller:
    """The program of a merchant. What it asks for must be done; what it tries may be refused."""

    def __init__(self, client: Client, habit: Habit) -> None:
        self.client = client
        self.habit = habit

    def create(self, kind: str, members: Json) -> Json:
        """Create an object, and return it as the answer shows it."""
        answer = self.try_create(kind, members)
        assert answer.status == 201, answer.body
        created: Json = answer.json()
        assert answer.header("Location") == path(kind, created["id"])
        return created

    def retrieve(self, kind: str, name: str) -> Json:
        """Retrieve an object by its id or its external reference."""
        return done(self._get(kind, name))

    def update(self, kind: str, name: str, change: Json) -> Json:
        """Change an object, and return it as it has become."""
        if self.habit is Habit.WHOLE:
            self._send_back(kind, name)
        return done(self.try_update(kind, name, change))

    def void(self, bill: str, metadata: Json | None = None) -> Json:
        """Void a bill, and return it."""
        return done(self.try_void(bill, metadata))

    def find(self, kind: str, **filters: str) -> list[Json]:
        """List every object that the filters find, newest first, page after page."""
        found: list[Json] = []
        cursor: dict[str, str] | None = {}
        while cursor is not None:
            page = self.client.get(f"{path(kind)}?{urlencode(filters | cursor)}")
            found += done(page)["data"]
            following = page.headers.get("Next-Cursor")
            cursor = {"cursor": following} if following else None
        return found

    def set_up(self, settings: Json) -> Json:
        """Change the merchant's settings, and return them."""
        return done(self._write("PATCH", "/billing/settings", settings))

    def try_create(self, kind: str, members: Json) -> Answer:
        """Ask for a new object."""
        return self._write("POST", path(kind), self._written_out(kind, members))

    def try_update(self, kind: str, name: str, change: Json) -> Answer:
        """Ask for a change: with its members alone, with all that there are, or with the whole object as it stands."""
        if self.habit is Habit.NULLS:
            change = dict.fromkeys(MEMBERS[kind]) | change
        if self.habit is Habit.WHOLE:
            change = self.retrieve(kind, name) | change
        return self._write("PATCH", path(kind, name), change)

    def try_void(self, bill: str, metadata: Json | None = None) -> Answer:
        """Ask for a bill to be voided: with no body, unless there is something to say."""
        says_nothing = metadata is None and self.habit is not Habit.NULLS
        return self._write("POST", f"{path('bill', bill)}/void", None if says_nothing else {"metadata": metadata})

    def _get(self, kind: str, name: str) -> Answer:
        return self.client.get(path(kind, name))

    def _send_back(self, kind: str, name: str) -> None:
        """Send an object back as it was retrieved, which changes nothing, not even its version."""
        stands = self._get(kind, name)
        answer = self._write("PATCH", path(kind, name), stands.json())
        assert (done(answer), answer.etag) == (stands.json(), stands.etag)

    def _written_out(self, kind: str, members: Json) -> Json:
        """Write out what creates an object: only what is set, or everything, also of the objects inside."""
        if self.habit is not Habit.NULLS:
            return members
        inside = {
            name: self._written_out(name, value) if isinstance(value, dict) else value
            for name, value in members.items()
            if name in PARENTS[kind]
        }
        return dict.fromkeys(MEMBERS[kind] + PARENTS[kind]) | members | inside

    def _write(self, method: str, where: str, body: Json | None) -> Answer:
        """Send a write; with a key send it twice, as after a lost answer, and get the same answer."""
        if self.habit is not Habit.KEYED:
            return self._send(method, where, body, {})
        key = {"Idempotency-Key": str(uuid4())}
        first = self._send(method, where, body, key)
        again = self._send(method, where, body, key)
        assert "Idempotent-Replayed" not in first.headers
        if first.status != 400:  # what was never decided is not kept
            assert (again.status, again.body) == (first.status, first.body)
            assert again.header("Idempotent-Replayed") == "true"
        return first

    def _send(self, method: str, where: str, body: Json | None, headers: dict[str, str]) -> Answer:
        if body is None:
            return self.client.send(method, where, headers=headers)
        return self.client.send(method, where, jsonlib.dumps(body).encode(), headers | {"Content-Type": JSON})


def path(kind: str, name: str = "") -> str:
    """Return the path of an object, or of all of its kind."""
    return f"/billing/{kind}s" + (name and f"/{name}")


def done(answer: Answer) -> Json:
    """Return the body of an answer that must be 200."""
    assert answer.status == 200, answer.body
    body: Json = answer.json()
    return body


def refused(answer: Answer, status: int, code: str, *pointers: str) -> None:
    """Assert that a request was refused with a problem that says what, where and why."""
    problem = answer.json()
    assert (answer.status, answer.media_type(), problem["status"]) == (status, PROBLEM, status), answer.body
    assert problem["code"] == code
    assert problem["type"].endswith(f"/docs/errors#{code.replace('_', '-')}")
    assert problem["instance"].startswith("/billing/")
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.header("Request-Id")
    assert answer.pointers == list(pointers)
