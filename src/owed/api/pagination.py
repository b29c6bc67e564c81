"""Pages of lists: cursors that nobody can make up, and the headers that carry them (contract, 1.6)."""

import base64
import binascii
import hashlib
import hmac
from urllib.parse import urlencode

from owed.store.list_queries import Cursor

MAC_LENGTH = 16
SIDES = {"n": True, "o": False}


class CursorSigner:
    """Makes cursors and reads them back.

    Args:
        secret: The same for all workers of a database.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, cursor: Cursor, scope: str) -> str:
        """Make the text of a cursor, good only in its scope: merchant, mode, route and filters."""
        payload = f"{'n' if cursor.newer else 'o'}{cursor.id}".encode()
        return encoded(self._mac(payload, scope) + payload)

    def read(self, text: str, scope: str) -> Cursor | None:
        """Give the cursor of a text that was made here for this scope; None for any other."""
        try:
            signed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        mac, payload = signed[:MAC_LENGTH], signed[MAC_LENGTH:]
        if not hmac.compare_digest(mac, self._mac(payload, scope)) or encoded(signed) != text:
            return None
        side, object_id = payload[:1].decode(), payload[1:].decode()
        return Cursor(SIDES[side], object_id)

    def _mac(self, payload: bytes, scope: str) -> bytes:
        return hmac.digest(self._secret, scope.encode() + b"\0" + payload, hashlib.sha256)[:MAC_LENGTH]


def encoded(signed: bytes) -> str:
    """Write bytes as they stand in a URL."""
    return base64.urlsafe_b64encode(signed).decode().rstrip("=")


def page_headers(
    path: str, filters: list[tuple[str, str]], next_cursor: str | None, prev_cursor: str | None
) -> dict[str, str]:
    """Give the headers that lead to the pages on either side.

    Args:
        filters: The parameters of the request, less its cursor: they hold for the other pages too.
    """
    found = {"next": next_cursor, "prev": prev_cursor}
    headers = {f"{side}-cursor": cursor for side, cursor in found.items() if cursor}
    links = [
        f'<{path}?{urlencode([*filters, ("cursor", cursor)])}>; rel="{side}"'
        for side, cursor in found.items()
        if cursor
    ]
    return {**headers, "link": ", ".join(links)} if links else headers
