"""The API as a page, to read and to try, made of its OpenAPI document."""

from collections.abc import Iterator
from functools import cache

from owed.api.docs import sent
from owed.api.docs.event_schemas import title_of
from owed.api.docs.html import Html, element, join, prose, void
from owed.api.docs.layout import links, page
from owed.api.docs.operation import Operation
from owed.api.docs.operations import OPERATIONS
from owed.api.docs.samples import body_example, curl
from owed.api.docs.sent import WEBHOOKS, Sent
from owed.api.docs.shapes import resolved
from owed.api.docs.tables import answers, body_tables, parameter_table, pre
from owed.api.fields import Schema
from owed.api.messages import JSON
from owed.api.openapi import document

INTRODUCTION = """\
Send an API key as `Authorization: Bearer <key>`. The key alone decides whose data it is, and whether it is test data \
(`sk_test_…`) or live data (`sk_…`).

Money is an integer in the currency's smallest unit: 2000 is 20 rand. A member that is not set is absent.
"""


@cache
def reference_page() -> bytes:
    """Make the page."""
    described = document()
    tags = {tag["name"]: tag["description"] for tag in described["tags"]}
    return page(
        "Owed API",
        [links("Documentation", [("/docs/errors", "Errors"), ("/openapi.json", "OpenAPI document")]), *contents(tags)],
        element("h1", "The Owed API"),
        prose(INTRODUCTION),
        key_form(),
        *(section(tag, description, described) for tag, description in tags.items()),
        script="docs.js",
    )


def contents(tags: dict[str, str]) -> Iterator[Html]:
    """Yield the links to the operations, by tag."""
    for tag in tags:
        entries = [(method, operation) for (_, method), operation in OPERATIONS.items() if operation.tag == tag]
        told = [("POST", each) for each in WEBHOOKS] if tag == sent.TAG else entries
        yield links(tag, [(f"#{each.id}", join(verb(method), " ", each.summary)) for method, each in told])


def verb(method: str) -> Html:
    """Show a method."""
    return element("span", method, class_=f"verb {method.lower()}")


def key_form() -> Html:
    """Make the field for the key. It has no name and no form: a browser neither sends nor keeps it."""
    label = element("label", "API key to try things with", for_="key")
    field = void("input", id="key", type="password", autocomplete="off", spellcheck="false", placeholder="sk_test_…")
    note = element("small", "It stays in this page's memory, and is gone when you leave.")
    return element("div", label, field, note, class_="key")


def section(tag: str, description: str, described: Schema) -> Html:
    """Tell of the operations of a tag, or of the webhooks."""
    articles = (
        article(path, method, operation, described)
        for (path, method), operation in OPERATIONS.items()
        if operation.tag == tag
    )
    webhooks = (webhook(each, described) for each in WEBHOOKS if tag == sent.TAG)
    return element("section", element("h2", tag), prose(description), *articles, *webhooks)


def webhook(told: Sent, described: Schema) -> Html:
    """Tell of what is sent for one type of event."""
    operation = described["webhooks"][told.type]["post"]
    return element(
        "article",
        element("h3", told.summary),
        element("p", verb("POST"), " ", element("code", told.type), class_="path"),
        prose(told.description),
        *body_tables({JSON: title_of(told.type)}, described),
        parameter_table([resolved(each, described) for each in operation["parameters"]]),
        answers(operation["responses"], described),
        id=told.id,
    )


def article(path: str, method: str, operation: Operation, described: Schema) -> Html:
    """Tell of one operation."""
    schemas = described["components"]["schemas"]
    told = described["paths"][path][method.lower()]
    parameters = [resolved(each, described) for each in told["parameters"]]
    return element(
        "article",
        element("h3", operation.summary),
        element("p", verb(method), " ", element("code", path), class_="path"),
        prose(operation.description),
        *body_tables(operation.bodies, described),
        parameter_table(parameters),
        answers(told["responses"], described),
        element("details", element("summary", "From the command line"), pre(curl(path, method, operation, schemas))),
        try_form(path, method, operation, parameters, schemas),
        id=operation.id,
    )


def try_form(
    path: str, method: str, operation: Operation, parameters: list[Schema], schemas: dict[str, Schema]
) -> Html:
    """Make the form that sends a request."""
    fields = [field(operation.id, each) for each in parameters]
    if operation.bodies:
        fields += body_fields(operation, schemas)
    form = element(
        "form",
        *fields,
        element("button", "Send", type="submit"),
        element("div", class_="result", role="status"),
        data_method=method,
        data_path=path,
    )
    return element("details", element("summary", "Try it"), form)


def field(prefix: str, parameter: Schema) -> Html:
    """Make the field of a parameter, empty where it may be left out."""
    name, example = parameter["name"], parameter.get("example", "")
    if "enum" in parameter["schema"]:
        return choice(prefix, parameter)
    is_metadata = parameter.get("style") == "deepObject"
    identity = f"{prefix}-{name}"
    sample = "customer_type=premium" if is_metadata else str(example)
    value = parameter.get("examples", {}).get("external_reference", {"value": ""})["value"]
    return join(
        element("label", name, " ", element("small", parameter["in"]), for_=identity),
        void(
            "input",
            id=identity,
            name=name,
            value=value,
            placeholder=sample,
            required=parameter.get("required", False),
            autocomplete="off",
            data_in="metadata" if is_metadata else parameter["in"],
        ),
    )


def choice(prefix: str, parameter: Schema) -> Html:
    """Make the field of a parameter that is one of a few values, or none."""
    name = parameter["name"]
    options = (element("option", value, value=value) for value in ("", *parameter["schema"]["enum"]))
    return join(
        element("label", name, " ", element("small", parameter["in"]), for_=f"{prefix}-{name}"),
        element("select", *options, id=f"{prefix}-{name}", name=name, data_in=parameter["in"]),
    )


def body_fields(operation: Operation, schemas: dict[str, Schema]) -> list[Html]:
    """Make the fields of a body: its media type, and its text for each."""
    identity = f"{operation.id}-body"
    choices = [
        element("option", media_type, value=media_type, data_example=body_example(schemas[name]))
        for media_type, name in operation.bodies.items()
    ]
    text = body_example(schemas[next(iter(operation.bodies.values()))])
    return [
        element("label", "Content-Type", for_=f"{identity}-type"),
        element("select", *choices, id=f"{identity}-type", data_in="type"),
        element("label", "Body", for_=identity),
        element("textarea", text, id=identity, rows="14", spellcheck="false", data_in="body"),
    ]
