"""The root: one digest of all history up to a time, to be compared with later."""

import hashlib
from datetime import datetime

from owed.model.transfer import Transfer


class Root:
    """The digest of all history up to a time: of each obligation's last transfer by then.

    It is SHA-256 over a line for each obligation, `tenant obligation version hash`, in the order of tenants and
    obligations. The hash of a transfer covers all that came before it on its obligation, so another digest means that
    something by then was changed, added or removed; and from history alone it can be computed again at any later time.
    """

    def __init__(self, at: datetime) -> None:
        self.at = at
        self._digest = hashlib.sha256()
        self._last: Transfer | None = None

    def see(self, transfer: Transfer) -> None:
        """Take in a transfer; they come in the order of their primary key."""
        if transfer.recorded_at <= self.at:
            last = self._last
            if last and (last.obligation_id, last.tenant_id) != (transfer.obligation_id, transfer.tenant_id):
                self._write(last)
            self._last = transfer

    def __str__(self) -> str:
        """Give the time and the digest, once all transfers have come."""
        if self._last:
            self._write(self._last)
            self._last = None
        return f"{self.at:%Y-%m-%dT%H:%M:%S.%fZ}-{self._digest.hexdigest()}"

    def _write(self, last: Transfer) -> None:
        line = f"{last.tenant_id} {last.obligation_id} {last.version} {last.hash.hex()}\n"
        self._digest.update(line.encode())
