"""The examples of the documentation: the demo merchant can send each of them, and gets what it shows."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from owed.api.docs.operations import OPERATIONS, Operation
from owed.api.docs.samples import curl, path_example
from owed.api.messages import JSON, MERGE_PATCH
from owed.api.openapi import document
from tests.contract.client import Client
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
    """Give a value without what differs from one start to the next: ids, and the days of the demo."""
    text = re.sub(r"\b(bcus|bacc|bill)_[0-9A-Za-z]{22}\b", r"\1_", json.dumps(value))
    return json.loads(re.sub(r"\b\d{4}-\d\d-\d\d\b", "a day", text))


def examples_of(operation: Operation, media_type: str) -> list[Any]:
    """Give the bodies that the documentation shows; None stands for a request that needs none."""
    if media_type not in operation.bodies:
        return [None]
    examples: list[Any] = document()["components"]["schemas"][operation.bodies[media_type]]["examples"]
    return examples


def sent(client: Client, path: str, method: str, body: Any, media_type: str) -> Any:
    encoded = None if body is None else json.dumps(body).encode()
    answer = client.send(method, path, encoded, {"Content-Type": media_type} if encoded else {})
    assert answer.status in {200, 201}, answer.body
    return answer.json()


@pytest.mark.parametrize(("path", "method"), WITH_A_KEY)
def test_every_request_is_taken_and_answered_as_it_is_shown(newcomer: Client, path: str, method: str) -> None:
    operation = WITH_A_KEY[path, method]
    (shown,) = (success for status, success in operation.answers.items() if status < 300)
    schema = {"components": document()["components"], "$ref": f"#/components/schemas/{shown.schema}"}
    answers = [
        sent(newcomer, path_example(path, operation), method, body, media_type)
        for media_type in (JSON, *(kind for kind in operation.bodies if kind == MERGE_PATCH))
        for body in examples_of(operation, media_type)
    ]

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
    assert ("-X" in line, "Idempotency-Key" in line) == (method != "GET", method != "GET")
