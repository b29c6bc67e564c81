"""Objects as an auditor sees them: each is what was told of it, and owes what its transfers come to."""

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from owed.model.bill import Bill
from owed.model.billing_object import BillingObject
from owed.model.event import Event
from owed.model.named import Named
from owed.simulation.histories import Entry, History, differences
from owed.simulation.ledger import NOTHING, Head, Key, Ledger
from owed.simulation.steps import TENANTS


class Objects:
    """All objects that stand, and the history of each.

    Attributes:
        owed: What all of them together owe, by tenant and currency.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.owed: Counter[tuple[int, str]] = Counter()
        self._ledger = ledger
        self._items: dict[Key, Named] = {}
        self._histories: dict[Key, History] = {}
        self._ids: dict[tuple[str, int, str], str] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def hear(self, event: Event, posted: Entry | None) -> list[Entry]:
        """Take in an event, and give the transfers that it must stand for; `posted` as for a history."""
        key = event.tenant_id, event.object_id
        return self._histories.setdefault(key, History(event.type.partition(".")[0])).hear(event, posted)

    def stand(self, item: Named) -> Iterator[str]:
        """Let an object stand so from now on, and yield who else has its reference."""
        key = item.tenant_id, item.id
        for sign, each in ((-1, self._items.get(key)), (1, item)):
            if isinstance(each, BillingObject) and each.obligation.currency:
                self.owed[each.tenant_id, each.obligation.currency] += sign * each.obligation.total
        self._items[key] = item
        for name in item.names[:1]:
            holder = self._ids.setdefault((item.kind, item.tenant_id, name), item.id)
            if holder != item.id:
                yield f"the {item.kind}s {holder} and {item.id} have the same reference, {name}"

    def called(self, key: Key) -> str:
        """Call an object by what people know."""
        item, where = self._items.get(key), TENANTS.get(key[0], f"tenant {key[0]}")
        names = [item.kind, *item.names[:1], f"({key[1]})"] if item is not None else [key[1]]
        return f"{' '.join(names)} of {where}"

    def faults(self, keys: Iterable[Key]) -> Iterator[str]:
        """Yield what is wrong with some objects."""
        for key in sorted(keys):
            yield from (f"{self.called(key)}: {fault}" for fault in self._faults(key))

    def _faults(self, key: Key) -> Iterator[str]:
        item, history = self._items.get(key), self._histories.get(key)
        if item is None:
            yield "is not there"
        elif isinstance(item, BillingObject):
            if history is None:
                yield "is there, and nobody told of it"
                return
            yield from faults_of_history(item, history)
            yield from self._faults_of_obligation(item)
            yield from self._faults_of_parents(item)

    def _faults_of_obligation(self, item: BillingObject) -> Iterator[str]:
        obligation, key = item.obligation, (item.tenant_id, item.id)
        stands = Head(obligation.total, obligation.version, obligation.hash, obligation.recorded_at)
        yield from differences(self._ledger.heads.get(key, NOTHING)._asdict(), stands._asdict())
        for currency, amount in self._ledger.sums[key].items():
            if amount != (obligation.total if currency == obligation.currency else 0):
                yield f"owes {obligation.total} {obligation.currency}, and its transfers come to {amount} {currency}"

    def _faults_of_parents(self, item: BillingObject) -> Iterator[str]:
        for name in ("customer_id", "account_id"):
            parent = getattr(item, name, None)
            if parent and (item.tenant_id, parent) not in self._items:
                yield f"its {name} {parent} is not there"


def faults_of_history(item: BillingObject, history: History) -> Iterator[str]:
    """Yield where an object is not what was told of it."""
    yield from history.faults
    yield from differences(history.shown, msgspec.to_builtins(item.shown()))
    if history.is_settled_untold:
        yield "was paid, and nobody told of it"
    if (item.version, item.event_sequence) != (history.version, history.sequence):
        stands = f"version {item.version}, event {item.event_sequence}"
        yield f"is at {stands}, and must be at version {history.version}, event {history.sequence}"
    if item.obligation.total != history.total:
        yield f"owes {item.obligation.total}, and what was told of it comes to {history.total}"
    if isinstance(item, Bill):
        if item.amount_received != history.received:
            yield f"has received {item.amount_received}, and what was told of it comes to {history.received}"
        if item.amount_credited != history.credited:
            yield f"was credited {item.amount_credited}, and what was told of it comes to {history.credited}"
        if item.obligation.total != (0 if item.is_voided else item.amount_due - item.amount_paid):
            yield f"owes {item.obligation.total}, with {item.amount_paid} of {item.amount_due} paid"
