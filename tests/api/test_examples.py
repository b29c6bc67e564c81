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

from owed.api.docs import webhook_story
from owed.api.docs.nouns import NOUNS, Noun
from owed.api.docs.operation import Operation, Success
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
    """Give a value without what differs from one start to the next: ids, secrets, the days and times of the demo."""
    prefixes = "bcus|bacc|bill|pay|ob|ref|rev|all|mov|chg|crd|evt|we|sec|rep|erased"
    text = re.sub(rf"\b({prefixes})_[0-9A-Za-z]{{22}}\b", r"\1_", json.dumps(value))
    text = re.sub(r"\bwhsec_[0-9A-Za-z+/]{43}=", "whsec_", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\dT[0-9:.]+Z", "a time", text)
    return json.loads(re.sub(r"\b\d{4}-\d\d-\d\d\b", "a day", text))


def examples_of(operation: Operation, media_type: str) -> list[Any]:
    """Give the bodies that the documentation shows; None stands for a request that needs none."""
    if media_type not in operation.bodies:
        return [None]
    examples: list[Any] = document()["components"]["schemas"][operation.bodies[media_type]]["examples"]
    return examples


def sent(client: Client, path: str, method: str, body: Any, media_type: str) -> Answer:
    if body is None:
        return taken(client, method, path, None, {})
    headers = {"Content-Type": media_type, "Idempotency-Key": str(uuid4())}
    return taken(client, method, path, json.dumps(body), headers)


def taken(client: Client, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
    """Send a request to what the newcomer has, and give the answer, which is no refusal and no replay."""
    encoded = None if body is None else theirs(client, body).encode()
    answer = client.send(method, theirs(client, path), encoded, headers)
    assert answer.status in {200, 201, 202, 204}, answer.body
    assert "idempotent-replayed" not in answer.headers
    return answer


def theirs(client: Client, text: str) -> str:
    """Put ids of the newcomer's in place of those that the server has made up in the story, and again in the demo."""
    endpoint, event = webhook_story.endpoint(), webhook_story.event(webhook_story.PAID)
    if event.id in text:
        first = client.get(f"/billing/events?order=asc&limit=1&type={event.type}").json()["data"][0]
        text = text.replace(event.id, first["id"])
    if endpoint.id in text or endpoint.secret.id in text:
        made = client.post("/billing/webhook_endpoints", webhook_story.NEW_ENDPOINT).json()
        text = text.replace(endpoint.id, made["id"]).replace(endpoint.secret.id, made["secret_id"])
    return text


def lines_of(client: Client) -> dict[str, list[str]]:
    """Read the command line of each operation off the page, as a shell would; by the operation's id."""
    page = client.get("/docs").body.decode()
    lines = re.findall(r'<article id="(\w+)">(?:(?!</article>).)*?<pre[^>]*>(curl .*?)</pre>', page, re.DOTALL)
    return {name: shlex.split(unescape(line)) for name, line in lines}


def pasted(client: Client, line: list[str]) -> Answer:
    """Send the request of a command line, with a key that is real."""
    headers = dict(given.split(": ", 1) for option, given in pairwise(line) if option == "-H")
    del headers["Authorization"]
    (url,) = (word for word in line if "://" in word and not word.startswith("{"))
    after = dict(pairwise(line))
    return taken(client, after.get("-X", "GET"), urlsplit(url).path, after.get("-d"), headers)


@pytest.mark.parametrize(("path", "method"), WITH_A_KEY)
def test_every_request_is_taken_and_answered_as_it_is_shown(newcomer: Client, path: str, method: str) -> None:
    """All on one server in the order of the page, each from its command line first, as a newcomer pastes them."""
    operation = WITH_A_KEY[path, method]
    first = pasted(newcomer, lines_of(newcomer)[operation.id])
    others = [
        sent(newcomer, path_example(path, operation), method, body, media_type)
        for media_type in (JSON, *(kind for kind in operation.bodies if kind == MERGE_PATCH))
        for body in examples_of(operation, media_type)[media_type == JSON :]
    ]
    answers = [first, *others]

    for answer in answers:
        check(operation.answers[answer.status], answer)
    example = operation.answers[first.status].example
    if example is not None:
        assert alike(first.json()) == alike(example)


def check(shown: Success, answer: Answer) -> None:
    """Check that a body is as described, or that there is none."""
    if not shown.schema:
        assert answer.body == b""
        return
    schema = {"components": document()["components"], "$ref": f"#/components/schemas/{shown.schema}"}
    assert answer.media_type() == shown.media_type
    body = answer.json() if shown.media_type == JSON else answer.body.decode()
    jsonschema_rs.validate(schema, body, validate_formats=True)


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
