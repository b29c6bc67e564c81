"""Shapes: how a JSON Schema reads in a few words."""

from collections.abc import Iterator

from owed.api.fields import Schema


def resolved(schema: Schema, described: Schema) -> Schema:
    """Give what a reference refers to, and its type with null where it may be null instead."""
    if "anyOf" in schema:
        found = resolved(schema["anyOf"][0], described)
        return {**found, "type": [found["type"], "null"]}
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
        least = f"{schema['minLength']} to" if "minLength" in schema else "at most"
        yield f"{least} {schema['maxLength']} characters"
    if "maximum" in schema:
        yield f"{schema['minimum']:,} to {schema['maximum']:,}"
    if "maxProperties" in schema:
        yield f"at most {schema['maxProperties']} keys of 1 to {schema['propertyNames']['maxLength']} characters"
        yield f"values of at most {schema['additionalProperties']['maxLength']} characters"
    if "default" in schema:
        yield f"{schema['default']} unless given"
    if "pattern" in schema and "`" not in schema["pattern"]:
        yield f"`{schema['pattern']}`"
