"""The examples of the documentation: the demo merchant can send each of them, and gets what it shows."""

import json
import re
import shlex
from collections.abc import Iterator
from html import unescape
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import jsonschema_rs
import pytest

from owed.api.docs.nouns import NOUNS, Noun
from owed.api.docs.operation import Operation
from owed.api.docs.operations import OPERATIONS
from owed.api.docs.parts import filters
from owed.api.docs.samples import curl, path_example
from owed.api.messages import JSON, MERGE_PATCH
from owed.api.openapi import document
from tests.contract.client import Answer, Client
from tests.contract.service import Service, data_directory

WITH_A_KEY = {route: operation for route, operation in OPERATIONS.items() if not operation.is_public}


@pytest.fixture(scope="module")
def newcomer() -> Iterator[Client]:
    """A caller with the key that the very first start has printed."""
    with data_directory() as place:
        service = Service.start(place)
        key = re.search(r"Bearer (\S+)'", service.log.read_text())
        assert key is not None
        yield service.client(key[1])
        service.stop()


def alike(value: Any) -> Any:
    """Give a value without what differs from one start to the next: ids, and the days and times of the demo."""
    text = re.sub(r"\b(bcus|bacc|bill|pay|ob|ref|rev)_[0-9A-Za-z]{22}\b", r"\1_", json.dumps(value))
    text = re.sub(r"\b\d{4}-\d\d-\d\dT[0-9:.]+Z", "a time", text)
    return json.loads(re.sub(r"\b\d{4}-\d\d-\d\d\b", "a day", text))


def examples_of(operation: Operation, media_type: str) -> list[Any]:
    """Give the bodies that the documentation shows; None stands for a request that needs none."""
    if media_type not in operation.bodies:
        return [None]
    examples: list[Any] = document()["components"]["schemas"][operation.bodies[media_type]]["examples"]
    return examples


def sent(client: Client, path: str, method: str, body: Any, media_type: str) -> Any:
    encoded = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": media_type, "Idempotency-Key": str(uuid4())} if encoded else {}
    return answered(client.send(method, path, encoded, headers))


def answered(answer: Answer) -> Any:
    """Give what a request was answered with, the first time that it was sent."""
    assert answer.status in {200, 201}, answer.body
    assert "idempotent-replayed" not in answer.headers
    return answer.json()


def lines_of(client: Client) -> dict[str, list[str]]:
    """Read the command line of each operation off the page, as a shell would; by the operation's id."""
    page = client.get("/docs").body.decode()
    lines = re.findall(r'<article id="(\w+)">(?:(?!</article>).)*?<pre[^>]*>(curl .*?)</pre>', page, re.DOTALL)
    return {name: shlex.split(unescape(line)) for name, line in lines}


def pasted(client: Client, line: list[str]) -> Any:
    """Send the request of a command line, with a key that is real."""
    headers = dict(given.split(": ", 1) for option, given in pairwise(line) if option == "-H")
    del headers["Authorization"]
    (url,) = (word for word in line if "://" in word)
    after = dict(pairwise(line))
    body = after["-d"].encode() if "-d" in line else None
    return answered(client.send(after.get("-X", "GET"), urlsplit(url).path, body, headers))


@pytest.mark.parametrize(("path", "method"), WITH_A_KEY)
def test_every_request_is_taken_and_answered_as_it_is_shown(newcomer: Client, path: str, method: str) -> None:
    """All on one server in the order of the page, each from its command line first, as a newcomer pastes them."""
    operation = WITH_A_KEY[path, method]
    first = pasted(newcomer, lines_of(newcomer)[operation.id])
    (shown,) = (success for status, success in operation.answers.items() if status < 300)
    schema = {"components": document()["components"], "$ref": f"#/components/schemas/{shown.schema}"}
    others = [
        sent(newcomer, path_example(path, operation), method, body, media_type)
        for media_type in (JSON, *(kind for kind in operation.bodies if kind == MERGE_PATCH))
        for body in examples_of(operation, media_type)[media_type == JSON :]
    ]
    answers = [first, *others]

    for answer in answers:
        jsonschema_rs.validate(schema, answer, validate_formats=True)
    if shown.example is not None:
        assert alike(answers[0]) == alike(shown.example)


@pytest.mark.parametrize(("path", "method"), WITH_A_KEY)
def test_the_command_line_is_the_request(path: str, method: str) -> None:
    operation = WITH_A_KEY[path, method]
    line = curl(path, method, operation, document()["components"]["schemas"])

    assert path_example(path, operation) in line
    assert "{" not in path_example(path, operation)
    assert ("-X" in line, "Idempotency-Key" in line) == (method != "GET", operation.is_idempotent)


def test_each_command_line_has_an_idempotency_key_of_its_own(newcomer: Client) -> None:
    keys = [word for line in lines_of(newcomer).values() for word in line if word.startswith("Idempotency-Key: ")]

    assert len(keys) == len(set(keys)) == sum(each.is_idempotent for each in OPERATIONS.values())


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.kind)
@pytest.mark.parametrize("name", ["external_reference", "q"])
def test_the_example_of_what_to_search_for_finds_something(newcomer: Client, noun: Noun, name: str) -> None:
    (example,) = (each["example"] for each in filters(noun).values() if each["name"] == name)

    assert newcomer.get(f"/billing/{noun.kind}s?{urlencode({name: example})}").json()["data"] != []
