"""Samples: JSON as people read it, and the command line that sends a request."""

import json
import shlex
from uuid import NAMESPACE_URL, uuid5

from owed.api.docs import addresses
from owed.api.docs.operation import Operation
from owed.api.docs.parts import PARAMETERS
from owed.api.fields import Schema
from owed.api.messages import JSON


def as_text(value: object) -> str:
    """Write a value as JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def body_example(schema: Schema) -> str:
    """Write the first example of a schema."""
    return as_text(schema["examples"][0])


def path_example(path: str, operation: Operation) -> str:
    """Give the path of an example of an operation."""
    for parameter in (PARAMETERS[name] for name in operation.parameters):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", name_example(parameter))
    return path


def name_example(parameter: Schema) -> str:
    """Give what an example is called: by its external reference, if it has one, and else by its id."""
    examples = parameter["examples"]
    name: str = examples.get("external_reference", examples["id"])["value"]
    return name


def curl(path: str, method: str, operation: Operation, schemas: dict[str, Schema]) -> str:
    """Write the command line that sends a request of this operation."""
    url = addresses.EXAMPLE + path_example(path, operation)
    lines = ["curl " + url] if method == "GET" else [f"curl -X {method} {url}"]
    if not operation.is_public:
        lines.append("-H 'Authorization: Bearer sk_test_…'")
    if operation.is_idempotent:
        lines.append(f"-H 'Idempotency-Key: {idempotency_key(operation)}'")
    if operation.bodies:
        lines.append(f"-H 'Content-Type: {JSON}'")
        lines.append("-d " + shlex.quote(body_example(schemas[operation.bodies[JSON]])))
    return " \\\n  ".join(lines)


def idempotency_key(operation: Operation) -> str:
    """Give the key of the command line of an operation: no two of them are the same request."""
    return str(uuid5(NAMESPACE_URL, operation.id))
