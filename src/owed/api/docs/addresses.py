"""The address in the examples: they are made for one, and shown with the one at which the client called."""

from typing import Final
from urllib.parse import quote

EXAMPLE: Final = "http://127.0.0.1:8000"


def addressed(page: bytes, base_url: str) -> bytes:
    """Give a page whose examples are for this server.

    Args:
        base_url: Where it is, as the client called it. What HTML, JSON or a shell could take for its own is escaped.
    """
    return page.replace(EXAMPLE.encode(), quote(base_url, safe=":/[]%").encode())
