"""The pages about the service itself: health, readiness, metrics, the API's description and its documentation."""

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import jsonschema_rs
import pytest

from tests.contract.client import Client, Json
from tests.contract.samples import (
    ACCOUNTS,
    BILLS,
    CUSTOMERS,
    EVERY_NOUN,
    SETTINGS,
    Noun,
    a_bill,
    a_customer,
    an_account,
    at,
)

CODES = [
    "invalid_request", "unauthorized", "invalid_api_key", "forbidden", "not_found", "payment_not_found",
    "method_not_allowed",
    "payload_too_large", "unsupported_media_type", "conflict", "idempotency_key_in_use", "precondition_failed",
    "idempotency_key_reused",
    "payment_refused", "rate_limited", "internal_error", "unavailable",
]  # fmt: skip


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/openapi.json", "/docs", "/docs/errors"])
def test_the_page_needs_no_key(anonymous: Client, client: Client, path: str) -> None:
    """1.2: only the operations under /billing need a key."""
    assert anonymous.get(path).status == client.get(path).status == 200
    assert anonymous.send("HEAD", path).status == 200
    assert anonymous.send("DELETE", path).status == 405


def test_the_metrics_tell_requests_by_route_and_status(client: Client) -> None:
    """Prometheus: requests by route and status, latency, batch sizes, queue length, pool use, database errors."""
    customer = a_customer(client, name="Nobody's business")
    client.get(at(customer))
    answer = client.get("/metrics")
    text = answer.body.decode()
    assert answer.media_type() == "text/plain"
    assert re.search(r"(?m)^\w+\{[^}]*/billing/customers/\{customer\}[^}]*\} [1-9]", text)
    for word in ("_bucket{", "batch", "queue", "pool", "database"):
        assert word in text
    for private in (customer["id"], customer["external_reference"], "Nobody", str(client.key)):
        assert private not in text


@pytest.fixture(scope="module")
def document(anonymous: Client) -> Any:
    return anonymous.get("/openapi.json").json()


def walk(node: Any) -> Any:
    """Yield every object of a JSON document."""
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from walk(child)
    elif isinstance(node, list):
        for child in node:
            yield from walk(child)


def test_the_document_is_openapi_3_1(document: Any, anonymous: Client) -> None:
    assert anonymous.get("/openapi.json").media_type() == "application/json"
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"]
    assert document["info"]["version"]
    assert set(document) <= {
        "openapi",
        "info",
        "jsonSchemaDialect",
        "servers",
        "paths",
        "webhooks",
        "components",
        "security",
        "tags",
        "externalDocs",
    }


def test_the_document_has_every_operation_with_its_answers(document: Any) -> None:
    operations = {
        (path, method): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    listed, created = {"200", "400"}, {"201", "400", "409", "413", "415", "422"}
    retrieved, updated = {"200", "304", "400", "404"}, {"200", "400", "404", "409", "412", "413", "415", "422"}
    expected = {
        (CUSTOMERS, "get"): listed,
        (CUSTOMERS, "post"): created,
        (f"{CUSTOMERS}/{{customer}}", "get"): retrieved,
        (f"{CUSTOMERS}/{{customer}}", "patch"): updated,
        (ACCOUNTS, "get"): listed,
        (ACCOUNTS, "post"): created | {"404"},
        (f"{ACCOUNTS}/{{account}}", "get"): retrieved,
        (f"{ACCOUNTS}/{{account}}", "patch"): updated,
        (BILLS, "get"): listed,
        (BILLS, "post"): created | {"404"},
        (f"{BILLS}/{{bill}}", "get"): retrieved,
        (f"{BILLS}/{{bill}}", "patch"): updated,
        (f"{BILLS}/{{bill}}/void", "post"): updated,
        (SETTINGS, "get"): retrieved - {"404"},
        (SETTINGS, "patch"): updated - {"404"},
    }
    for operation, statuses in expected.items():
        assert statuses | {"401", "403", "429", "500", "503"} == set(operations[operation]["responses"])
    patches = [operation for (_, method), operation in operations.items() if method == "patch"]
    for operation in patches:
        assert set(operation["requestBody"]["content"]) == {"application/json", "application/merge-patch+json"}
    assert not operations[f"{BILLS}/{{bill}}/void", "post"]["requestBody"]["required"]
    names = [operation["operationId"] for operation in operations.values() if "operationId" in operation]
    assert len(names) == len(set(names))


def test_every_operation_has_its_path_parameters_and_describes_its_answers(document: Any) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method == "parameters":
                continue
            parameters = [*operation.get("parameters", []), *methods.get("parameters", [])]
            resolved = [
                resolve(document, parameter["$ref"]) if "$ref" in parameter else parameter for parameter in parameters
            ]
            in_path = {parameter["name"] for parameter in resolved if parameter["in"] == "path"}
            assert in_path == set(re.findall(r"\{(\w+)\}", path))
            assert all("description" in answer or "$ref" in answer for answer in operation["responses"].values())


def resolve(document: Any, reference: str) -> Any:
    assert reference.startswith("#/")
    for step in reference[2:].split("/"):
        document = document[step.replace("~1", "/").replace("~0", "~")]
    return document


def test_every_reference_leads_somewhere(document: Any) -> None:
    references = [node["$ref"] for node in walk(document) if isinstance(node.get("$ref"), str)]
    assert references
    for reference in references:
        resolve(document, reference)


def test_every_schema_is_a_json_schema(document: Any) -> None:
    schemas = [node["schema"] for node in walk(document) if isinstance(node.get("schema"), dict)]
    for schema in (*document["components"]["schemas"].values(), *schemas):
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema)


def answer_of(document: Any, path: str, status: str = "200") -> jsonschema_rs.Validator:
    """Return what a GET may be answered with, as the document says."""
    schema = document["paths"][path]["get"]["responses"][status]["content"]["application/json"]["schema"]
    return jsonschema_rs.validator_for({"components": document["components"]} | schema, validate_formats=True)


FULL: dict[str, Json] = {
    "customer": {"name": "x", "currency": "ZAR", "balance": -5, "email": "a@b.c", "phone": "+12"},
    "account": {"name": "x", "currency": "ZAR", "balance": -5},
    "bill": {"due_date": "2026-02-28", "bill_date": "2026-01-31"},
}
"""The members of each kind that may be left out."""


@EVERY_NOUN
def test_an_object_and_a_page_are_what_the_document_says(document: Any, client: Client, noun: Noun) -> None:
    schema = answer_of(document, f"{noun.path}/{{{noun.name}}}")
    full = noun.make(client, metadata={"a": "b"}, **FULL[noun.name])
    for thing in (noun.make(client), full):
        schema.validate(thing)
    answer_of(document, noun.path).validate(client.get(noun.path).json())
    assert not schema.is_valid(full | {"id": "cus_1"})
    assert not schema.is_valid(full | {"metadata": {"a": None}})
    assert not schema.is_valid({name: value for name, value in full.items() if name != "external_reference"})


def test_a_bill_on_an_account_a_paid_one_and_a_voided_one_are_what_the_document_says(
    document: Any, client: Client
) -> None:
    schema = answer_of(document, f"{BILLS}/{{bill}}")
    bill = a_bill(client, account=an_account(client)["id"])
    paid = client.patch(at(bill), {"amount_paid": bill["amount_due"]}).json()
    voided = client.post(f"{at(a_bill(client))}/void", {}).json()
    for thing in (bill, paid, voided):
        schema.validate(thing)
    assert not schema.is_valid(bill | {"status": "open"})
    assert not schema.is_valid(bill | {"due_date": "2025-02-30"})


def test_the_settings_are_what_the_document_says(document: Any, client: Client) -> None:
    schema = answer_of(document, SETTINGS)
    settings = client.get(SETTINGS).json()
    schema.validate(settings)
    assert not schema.is_valid(settings | {"time_zone": 2})


class _Assets(HTMLParser):
    """What a page loads, and the names of its places."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.add(str(given["id"]))
        name = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src"}.get(tag)
        if name and given.get(name):
            self.loads.append(str(given[name]))


def parsed(page: bytes) -> _Assets:
    assets = _Assets()
    assets.feed(page.decode())
    return assets


@pytest.mark.parametrize("path", ["/docs", "/docs/errors"])
def test_a_page_of_documentation_is_served_whole_by_us(anonymous: Client, path: str) -> None:
    """An interactive page whose assets are served by us, no CDN."""
    answer = anonymous.get(path)
    assert answer.media_type() == "text/html"
    for asset in parsed(answer.body).loads:
        if asset.startswith("data:"):
            continue
        assert not urlsplit(asset).netloc, f"{asset} is loaded from elsewhere"
        loaded = anonymous.get(urljoin(path, asset))
        assert loaded.status == 200
        assert not re.search(rb"""(?:@import|url\()\s*["']?(?:https?:)?//""", loaded.body)
    assert not re.search(rb"""(?:@import|url\()\s*["']?(?:https?:)?//""", answer.body)


def test_the_catalogue_holds_every_code_under_its_own_anchor(anonymous: Client) -> None:
    """1.5: `type` is a URL ending in `/docs/errors#<code-in-kebab-case>` that really serves the catalogue."""
    page = anonymous.get("/docs/errors").body
    anchors = parsed(page).ids
    for code in CODES:
        assert code.replace("_", "-") in anchors
        assert code in page.decode()
