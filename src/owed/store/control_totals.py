"""Control totals: what came in in a time, and what was taken back in it, by channel, method and currency.

Payments sort by the time of their creation, as do refunds and reversals. So a day is a range of their keys, and is
added up when it is asked for: there is nothing to keep up to date.
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Self

import msgspec

from owed.model.identifiers import PAYMENT, REFUND, REVERSAL, id_at, milliseconds
from owed.store.streams import Reading

SLACK = timedelta(minutes=10)
"""How much later the time in an id may be than that of what it names: it never goes back, whoever gives it."""

SUMS = """
    -- What was recorded between two times, by what it is. The ids find it, and its times tell just which it is.
    SELECT channel, method, currency, 'amount' AS what, count(*) AS number, sum(amount) AS amount
      FROM payment
     WHERE tenant_id = $1 AND id >= $4 AND id < $5 AND created_at >= $2 AND created_at < $3
     GROUP BY channel, method, currency
     UNION ALL
    SELECT channel, method, payment.currency, 'refunded', 0, sum(refund.amount)
      FROM refund
      JOIN payment ON payment.tenant_id = $1 AND payment.id = payment_id
     WHERE refund.tenant_id = $1 AND refund.id >= $6 AND refund.id < $7
       AND refund.created_at >= $2 AND refund.created_at < $3
     GROUP BY channel, method, payment.currency
     UNION ALL
    SELECT channel, method, payment.currency, 'reversed', 0, sum(reversal.amount)
      FROM reversal
      JOIN payment ON payment.tenant_id = $1 AND payment.id = payment_id
     WHERE reversal.tenant_id = $1 AND reversal.id >= $8 AND reversal.id < $9
       AND reversal.created_at >= $2 AND reversal.created_at < $3
     GROUP BY channel, method, payment.currency
     UNION ALL
    -- What of a payment fitted nothing is its own first transfer.
    SELECT channel, method, payment.currency, 'unallocated', 0, -sum(transfer.amount)
      FROM transfer
      JOIN payment ON payment.tenant_id = $1 AND payment.id = obligation_id
     WHERE transfer.tenant_id = $1 AND obligation_id >= $4 AND obligation_id < $5 AND transfer.version = 1
       AND cause = 'payment' AND payment.created_at >= $2 AND payment.created_at < $3
     GROUP BY channel, method, payment.currency
"""


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What payments come to. Amounts are in minor units.

    Attributes:
        count: How many came in.
        amount: What they brought.
        refunded: What was given back in the same time, of whatever payments.
        reversed: What never was good, as it turned out in that time.
        unallocated: What of `amount` fitted nothing when it came in.
    """

    channel: str | None = None
    method: str | None = None
    currency: str
    count: int = 0
    amount: int = 0
    refunded: int = 0
    reversed: int = 0
    unallocated: int = 0

    def plus(self, other: Self) -> Self:
        """Add the numbers of another, which is of the same currency."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in NUMBERS}
        return msgspec.structs.replace(self, **sums)

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows; what is not set is absent."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}


NUMBERS = ("count", "amount", "refunded", "reversed", "unallocated")


async def added_up(reading: Reading, tenant_id: int, since: datetime, until: datetime) -> list[Totals]:
    """Add up what was recorded from one time on and before another, by channel, method and currency, in that order."""
    await reading.scanning()
    bounds = [id_at(each, milliseconds(time)) for each in KEYS for time in (since, until + SLACK)]
    found: dict[tuple[str, str, str], Counter[str]] = {}
    async for rows in reading.rows(SUMS, tenant_id, since, until, *bounds):
        for channel, method, currency, what, number, amount in rows:
            counter = found.setdefault((channel or "", method or "", currency), Counter())
            counter.update({what: int(amount), "count": number})  # exact: a sum may be longer than 64 bits
    return [
        Totals(channel=channel or None, method=method or None, currency=currency, **found[channel, method, currency])
        for channel, method, currency in sorted(found)
    ]


KEYS = (PAYMENT, REFUND, REVERSAL)


def by_currency(lines: list[Totals]) -> list[Totals]:
    """Add up lines of each currency."""
    found: dict[str, Totals] = {}
    for line in sorted(lines, key=lambda line: line.currency):
        found[line.currency] = found.get(line.currency, Totals(currency=line.currency)).plus(line)
    return list(found.values())
