"""The tables of the page: the members of bodies, the parameters, and the answers."""

from collections.abc import Iterator, Mapping

from owed.api.docs.html import Html, element, join, marked
from owed.api.docs.nouns import NOUNS
from owed.api.docs.samples import as_text
from owed.api.docs.shapes import bounds, resolved, type_name
from owed.api.fields import Schema
from owed.api.messages import JSON


def pre(text: str) -> Html:
    """Show text as it is; it can be scrolled with the keyboard."""
    return element("pre", text, tabindex="0")


def body_tables(bodies: Mapping[str, str], described: Schema) -> Iterator[Html]:
    """Tell of the bodies of a request, by media type."""
    for media_type, name in bodies.items():
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
    """List what the answer may be."""
    rows = (answer(status, resolved(response, described), described) for status, response in responses.items())
    return element("details", element("summary", "Answers"), scrolled(element("table", element("tbody", *rows))))


def answer(status: str, response: Schema, described: Schema) -> Html:
    """Make the row of an answer."""
    named = join(*(join(" ", element("code", name)) for name in response["headers"]))
    headers = element("small", "Headers:", named) if named else ""
    return element(
        "tr",
        element("th", element("span", status, class_=f"status s{status[0]}"), scope="row"),
        element("td", marked(response["description"]), headers, shown(response, described)),
    )


def shown(response: Schema, described: Schema) -> Html:
    """Show the body of an answer that has one in JSON; a problem's is told in the catalogue."""
    content = response.get("content", {}).get(JSON, {})
    schema = resolved(content.get("schema", {}), described)
    if "examples" not in schema:
        return Html("")
    return join(pre(as_text(content.get("example", schema["examples"][0]))), member_table(schema, described))
