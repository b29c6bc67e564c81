"""The OpenAPI document of webhooks: what is sent is what it tells of, and so is what becomes of that."""

import re

import jsonschema_rs
import msgspec
import pytest

from owed.api.docs import story, webhook_story
from owed.api.docs.event_schemas import title_of
from owed.api.messages import JSON
from owed.api.openapi import document
from owed.model.webhook_endpoint import EVENT_TYPES
from owed.store.attempts import Attempted, Pending
from owed.store.endpoint_reads import EndpointStatus
from owed.webhooks.signing import signed_headers
from owed.webhooks.verification import Step
from tests.api.test_openapi import schema_of


def test_every_type_of_event_is_described_as_a_webhook() -> None:
    webhooks = document()["webhooks"]
    sent = {name: path["post"]["requestBody"]["content"][JSON]["schema"]["$ref"] for name, path in webhooks.items()}
    types = {name: document()["components"]["schemas"][ref.rpartition("/")[2]] for name, ref in sent.items()}

    assert {name: schema["properties"]["type"]["const"] for name, schema in types.items()} == {
        name: name for name in EVENT_TYPES
    }


def test_every_event_is_described_by_its_type_alone() -> None:
    told = [msgspec.json.decode(event.body) for event in webhook_story.books().state.events]
    schemas = {name: jsonschema_rs.validator_for(schema_of(title_of(name))) for name in EVENT_TYPES}

    assert {event["type"] for event in told} == {*EVENT_TYPES}
    for event in told:
        jsonschema_rs.validate(schema_of("Event"), event, validate_formats=True)
        assert [name for name, schema in schemas.items() if schema.is_valid(event)] == [event["type"]]


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_the_headers_of_a_signature_are_described(event_type: str) -> None:
    shared = document()["components"]["parameters"]
    names = [each["$ref"].rpartition("/")[2] for each in document()["webhooks"][event_type]["post"]["parameters"]]
    patterns = {shared[name]["name"]: shared[name]["schema"]["pattern"] for name in names}
    secrets = tuple(secret.value for secret in webhook_story.rotated().secrets)
    headers = signed_headers(webhook_story.event(event_type).id, story.MORNING, b"{}", secrets)

    assert headers.keys() == patterns.keys()
    assert all(re.fullmatch(patterns[name], value, re.ASCII) for name, value in headers.items())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("DeliveryPage/data", Attempted),
        ("DeliveryPage/pending", Pending),
        ("WebhookEndpointStatus", EndpointStatus),
        ("SignatureCheck/steps", Step),
    ],
)
def test_every_member_of_what_comes_of_deliveries_is_described(name: str, shown: type[msgspec.Struct]) -> None:
    title, _, member = name.partition("/")
    schema = schema_of(title)

    assert {*(schema["properties"][member]["items"] if member else schema)["properties"]} == {*shown.__struct_fields__}
