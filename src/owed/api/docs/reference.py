"""The API as a page, to read and to try, made of its OpenAPI document."""

from collections.abc import Iterator
from functools import cache

from owed.api.docs.html import Html, element, join, marked, prose, void
from owed.api.docs.layout import links, page
from owed.api.docs.nouns import NOUNS
from owed.api.docs.operation import Operation
from owed.api.docs.operations import OPERATIONS
from owed.api.docs.samples import as_text, body_example, curl
from owed.api.docs.shapes import bounds, resolved, type_name
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
        entries = [
            (f"#{operation.id}", join(verb(method), " ", operation.summary))
            for (_, method), operation in OPERATIONS.items()
            if operation.tag == tag
        ]
        yield links(tag, entries)


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
    """Tell of the operations of a tag."""
    return element(
        "section",
        element("h2", tag),
        prose(description),
        *(
            article(path, method, operation, described)
            for (path, method), operation in OPERATIONS.items()
            if operation.tag == tag
        ),
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
        *bodies(operation, described),
        parameter_table(parameters),
        answers(told["responses"], described),
        element("details", element("summary", "From the command line"), pre(curl(path, method, operation, schemas))),
        try_form(path, method, operation, parameters, schemas),
        id=operation.id,
    )


def pre(text: str) -> Html:
    """Show text as it is; it can be scrolled with the keyboard."""
    return element("pre", text, tabindex="0")


def bodies(operation: Operation, described: Schema) -> Iterator[Html]:
    """Tell what the operation takes, by media type."""
    for media_type, name in operation.bodies.items():
        heading = element("summary", "Body, as ", element("code", media_type))
        schema = described["components"]["schemas"][name]
        samples = (pre(as_text(example)) for example in schema["examples"])
        yield element("details", heading, member_table(schema, described), *samples)


def member_table(schema: Schema, described: Schema) -> Html:
    """List the members of an object."""
    required = schema.get("required", ())
    rows = (
        row(name, resolved(member, described), described, is_required=name in required)
        for name, member in schema["properties"].items()
    )
    return table("Member", *rows)


def parameter_table(parameters: list[Schema]) -> Html:
    """List the parameters of an operation."""
    rows = (
        row(
            "metadata[key]" if each.get("style") == "deepObject" else each["name"],
            {**each["schema"], "description": each["description"]},
            {},
            is_required=each.get("required", False),
            place=each["in"],
        )
        for each in parameters
    )
    return element("details", element("summary", "Parameters and headers"), table("Name", *rows))


def table(heading: str, *rows: Html) -> Html:
    """Make a table of names, types and meanings."""
    head = element("tr", *(element("th", name, scope="col") for name in (heading, "Type", "Meaning")))
    return scrolled(element("table", element("thead", head), element("tbody", *rows)))


def scrolled(wide: Html) -> Html:
    """Let something wide be scrolled, with the keyboard too."""
    return element("div", wide, class_="wide", tabindex="0")


def row(name: str, schema: Schema, described: Schema, *, is_required: bool, place: str = "") -> Html:
    """Make the row of a member or parameter, and below it, as wide as the table, one with the members inside it."""
    notes = [*([place] if place else []), *(["required"] if is_required else [])]
    kind = type_name(schema, described)
    own = element(
        "tr",
        element("th", element("code", name), *(element("small", note) for note in notes), scope="row"),
        element(
            "td",
            kind.removesuffix(" or null") if is_required else kind,
            *(element("small", marked(bound)) for bound in bounds(schema)),
        ),
        element("td", marked(schema.get("description", "")), *leads(schema)),
    )
    return join(own, *(element("tr", element("td", listed, colspan="3")) for listed in inside(schema, described)))


def inside(schema: Schema, described: Schema) -> Iterator[Html]:
    """List the members inside a member."""
    items = resolved(schema.get("items", {}), described)
    yield from (member_table(each, described) for each in (schema, items) if "properties" in each)


def leads(schema: Schema) -> Iterator[Html]:
    """Lead to where the members of a whole new object are listed."""
    for noun in NOUNS:
        if any(each.get("$ref", "").rpartition("/New")[2].startswith(noun.title) for each in schema.get("oneOf", ())):
            yield element("p", element("a", f"The members of a new {noun.kind}", href=f"#create{noun.title}"))


def answers(responses: Schema, described: Schema) -> Html:
    """List what the operation answers."""
    rows = (answer(status, resolved(response, described), described) for status, response in responses.items())
    return element("details", element("summary", "Answers"), scrolled(element("table", element("tbody", *rows))))


def answer(status: str, response: Schema, described: Schema) -> Html:
    """Make the row of an answer."""
    named = join(*(join(" ", element("code", name)) for name in response["headers"]))
    return element(
        "tr",
        element("th", element("span", status, class_=f"status s{status[0]}"), scope="row"),
        element("td", marked(response["description"]), element("small", "Headers:", named), shown(response, described)),
    )


def shown(response: Schema, described: Schema) -> Html:
    """Show the body of an answer that has one in JSON; a problem's is told in the catalogue."""
    content = response.get("content", {}).get(JSON, {})
    schema = resolved(content.get("schema", {}), described)
    if "examples" not in schema:
        return Html("")
    return join(pre(as_text(content.get("example", schema["examples"][0]))), member_table(schema, described))


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
    value = parameter["examples"]["external_reference"]["value"] if parameter["in"] == "path" else ""
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
