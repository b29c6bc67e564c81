"""Redacting: what is left of an event and of a refusal that told of a person who was erased since."""

import re
from collections.abc import Container
from typing import Any, Final
from urllib.parse import unquote

import msgspec

KEPT: Final = frozenset({"id", "amount", "currency", "balance", "created_at", "updated_at"})
"""What stays of an event's data, beside all that names something by its id."""

AMOUNT: Final = "obligation."
"""How the types of events begin that always have metadata."""

QUOTED: Final = re.compile(r"""(?<=['"/])[A-Za-z0-9_-]+(?=['"/])""")
"""What may be an external reference in the text of a refusal: between quotes, or in a path."""

REDACTED: Final = "This answer named a customer who was erased since, so no more is left of it."


def redacted_event(body: bytes, reference: str) -> bytes:
    """Give the bytes of an event without the person: its ids and amounts.

    Args:
        reference: What the object goes by now.
    """
    event = msgspec.json.decode(body)
    data = {name: value for name, value in event["data"].items() if name in KEPT or name.endswith("_id")}
    if "external_reference" in event["data"]:
        data["external_reference"] = reference
    if event["type"].startswith(AMOUNT):
        data["metadata"] = {}
    return msgspec.json.encode({"id": event["id"], "type": event["type"], "redacted": True, "data": data})


def names_any(body: bytes, references: Container[str]) -> bool:
    """Tell whether a refusal names something by one of some references, however its path was written."""
    return any(text in references for text in QUOTED.findall(unquote(body.decode())))


def redacted_problem(body: bytes, references: Container[str]) -> bytes:
    """Give the bytes of a refusal without the references that it named."""
    problem: dict[str, Any] = msgspec.json.decode(body)
    kept = {name: value for name, value in problem.items() if not names_any(msgspec.json.encode(value), references)}
    route = "/".join(problem["instance"].split("/")[:3])
    return msgspec.json.encode({**kept, "detail": REDACTED, "instance": route})
