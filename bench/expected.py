"""What is expected of an answer: each yields what is wrong with it, in words."""

import json
from collections.abc import Iterator
from typing import Any

from bench.client import Answer


def json_of(answer: Answer) -> dict[str, Any]:
    """Return the members of a body."""
    found: dict[str, Any] = json.loads(answer.body or b"{}")
    return found


def conflict(answer: Answer, pointer: str) -> Iterator[str]:
    """Expect a refusal of what is there already."""
    yield from unless(answer, 409, f"a duplicate at {pointer}")
    yield from unless_at(answer, pointer)


def unless_at(answer: Answer, pointer: str) -> Iterator[str]:
    """Expect a fault that is named by its pointer."""
    found = [each["pointer"] for each in json_of(answer).get("errors", [])]
    if pointer not in found:
        yield f"a fault at {pointer} is answered with {answer.body.decode()}"


def unless(answer: Answer, status: int, what: str) -> Iterator[str]:
    """Expect a status."""
    if answer.status != status:
        yield f"{what} is answered with {answer.status} instead of {status}: {answer.body.decode()}"


def unless_shows(answer: Answer, status: int, expected: dict[str, Any], what: str) -> Iterator[str]:
    """Expect a status and these members, whatever else there is."""
    yield from unless(answer, status, what)
    found = json_of(answer)
    if {**found, **expected} != found:
        yield f"{what} is answered with {found}"


def unless_replayed(answer: Answer, first: Answer, what: str) -> Iterator[str]:
    """Expect the bytes of an earlier answer."""
    if (answer.status, answer.body) != (first.status, first.body) or answer.headers["Idempotent-Replayed"] != "true":
        yield f"{what} under a used key is not a replay: {answer.status} {answer.body.decode()}"
