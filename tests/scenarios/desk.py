"""A desk at a merchant's: what a clerk does, in her name, and what she sees."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.contract.client import Answer, Client, Json


class Desk:
    """A clerk, who has a bank statement in one hand and signs with her name."""

    def __init__(self, client: Client, clerk: str = "thandi") -> None:
        self.client = client
        self.clerk = clerk

    def does(self, path: str, members: Json, why: str = "bank statement") -> Json:
        """Do something that must be done, and give what is shown of it."""
        signed = self._signed(why) | {"Idempotency_Key": str(uuid4())}
        made: Json = shown(self.client.post(f"/billing/{path}", members, **signed), 201)
        return made

    def changes(self, path: str, members: Json, why: str = "asked to") -> Json:
        """Change something that can be changed, and give it as it has become."""
        changed: Json = shown(self.client.patch(f"/billing/{path}", members, **self._signed(why)), 200)
        return changed

    def receives(self, amount: int, **members: Any) -> Json:
        """Enter money that is in the bank, wherever it may belong; in rand and by EFT, unless told otherwise."""
        came = {"received": True, "amount": amount, "currency": "ZAR", "channel": "eft"}
        return self.does("payments", came | members)

    def sees(self, path: str) -> Any:
        """Look at something that must be there."""
        return shown(self.client.get(f"/billing/{path}"), 200)

    def table(self, path: str) -> list[dict[str, str]]:
        """Open something in a spreadsheet, which must be there as CSV."""
        answer = self.client.get(f"/billing/{path}", Accept="text/csv")
        assert (answer.status, answer.media_type()) == (200, "text/csv"), answer.body
        return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))

    def books(self, currency: str = "ZAR") -> dict[str, int]:
        """Give what each account of the ledger comes to."""
        lines = self.sees(f"ledger/trial-balance?currency={currency}")["data"]
        return {line["account"]: line["total"] for line in lines}

    def _signed(self, why: str) -> dict[str, str]:
        return {"Owed_Actor": self.clerk, "Owed_Reason": why}


def shown(answer: Answer, status: int) -> Any:
    """Give what an answer shows, which must have this status."""
    assert answer.status == status, answer.body
    return answer.json()


def days_ago(days: int) -> str:
    """Give a day of the past, or with less than none one that is still to come."""
    return str(datetime.now(UTC).date() - timedelta(days=days))
