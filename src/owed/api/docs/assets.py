"""The files that the pages need. Only these are served; nothing is loaded from elsewhere."""

from functools import cache
from importlib import resources
from typing import Final

ASSETS: Final = {
    "docs.css": "text/css; charset=utf-8",
    "docs.js": "text/javascript; charset=utf-8",
    "owed.svg": "image/svg+xml",
}
"""Their media types, by name."""


@cache
def asset(name: str) -> bytes:
    """Read one of them."""
    return resources.files(__package__).joinpath("files", name).read_bytes()
