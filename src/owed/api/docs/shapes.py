"""Shapes: how a JSON Schema reads in a few words."""

from collections.abc import Iterator

from owed.api.fields import Schema


def resolved(schema: Schema, described: Schema) -> Schema:
    """Give what a reference refers to; where it may be null instead, without the null."""
    if "anyOf" in schema:
        schema = schema["anyOf"][0]
    if "$ref" not in schema:
        return schema
    found = described
    for step in schema["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def type_name(schema: Schema) -> str:
    """Name the type of a value."""
    kinds = schema.get("type", "any")
    return " or ".join(kinds) if isinstance(kinds, list) else kinds


def bounds(schema: Schema) -> Iterator[str]:
    """Yield in words what bounds a value."""
    if "maxLength" in schema:
        yield f"{schema.get('minLength', 0)} to {schema['maxLength']} characters"
    if "maximum" in schema:
        yield f"{schema['minimum']:,} to {schema['maximum']:,}"
    if "maxProperties" in schema:
        yield f"at most {schema['maxProperties']} keys of 1 to {schema['propertyNames']['maxLength']} characters"
        yield f"values of at most {schema['additionalProperties']['maxLength']} characters"
    if "default" in schema:
        yield f"{schema['default']} unless given"
    if "pattern" in schema and "`" not in schema["pattern"]:
        yield f"`{schema['pattern']}`"
