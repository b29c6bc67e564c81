"""Shapes: how a JSON Schema reads in a few words."""

from collections.abc import Iterator

from owed.api.fields import Schema


def resolved(schema: Schema, described: Schema) -> Schema:
    """Give what a reference refers to; where a value may be null instead, that with null among its types."""
    if is_nullable(schema):
        found = resolved(schema["oneOf"][0], described)
        return {**found, "type": [found["type"], "null"]}
    if "$ref" not in schema:
        return schema
    found = described
    for step in schema["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def is_nullable(schema: Schema) -> bool:
    """Tell whether a schema is that of one value, or null."""
    kinds = schema.get("oneOf", [])
    return len(kinds) == 2 and kinds[1] == {"type": "null"}


def type_name(schema: Schema, described: Schema) -> str:
    """Name the type of a value."""
    if "oneOf" in schema:
        return " or ".join(type_name(resolved(each, described), described) for each in schema["oneOf"])
    kinds = schema.get("type", "any")
    return " or ".join(kinds) if isinstance(kinds, list) else kinds


def bounds(schema: Schema) -> Iterator[str]:
    """Yield in words what bounds a value."""
    if "maxLength" in schema:
        least = f"{schema['minLength']} to" if "minLength" in schema else "at most"
        yield f"{least} {schema['maxLength']} characters"
    if "maximum" in schema:
        yield f"{schema['minimum']:,} to {schema['maximum']:,}"
    if "maxProperties" in schema:
        yield f"at most {schema['maxProperties']} keys of 1 to {schema['propertyNames']['maxLength']} characters"
        yield f"values of at most {schema['additionalProperties']['maxLength']} characters"
    yield from choices(schema)
    if "format" in schema and schema["format"] == "date":
        yield "`YYYY-MM-DD`"
    if "default" in schema:
        yield f"{schema['default']} unless given"
    if "pattern" in schema and "`" not in schema["pattern"]:
        yield f"`{schema['pattern']}`"


def choices(schema: Schema) -> Iterator[str]:
    """Yield in words which few values one may have, or those in a list."""
    for each in (schema, schema.get("items", {})):
        if "enum" in each:
            yield ", ".join(f"`{value}`" for value in each["enum"] if value is not None)
        if "const" in each:
            yield f"`{str(each['const']).lower()}`"
