"""The audit: after every commit and every answer, all that was promised is looked at anew."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec

from owed.engine.pending import Reply
from owed.model.adjustment import Adjustment
from owed.model.attribution import Attribution
from owed.model.event import Event
from owed.model.named import Named
from owed.model.payment import Payment
from owed.model.taken_back import TakenBack
from owed.model.transfer import Transfer
from owed.simulation.adjustments import Adjustments
from owed.simulation.clocks import Clock
from owed.simulation.effects import Effects
from owed.simulation.histories import Entry
from owed.simulation.ledger import Key, Ledger
from owed.simulation.objects import Objects
from owed.simulation.payments import Payments
from owed.simulation.steps import TENANTS, Ask, Verb
from owed.simulation.watch import Watch
from owed.store.memory import Tables

SHOWN = (
    "external_reference",
    "currency",
    "balance",
    "amount_due",
    "amount_paid",
    "amount",
    "reason",
    "channel",
    "floor",
    "type",
)
"""Members that are shown as they are given."""


class Audit:
    """Looks at what is new in the store, and at every answer.

    Attributes:
        faults: All that should not be. An audit that has found any is over.
    """

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self.faults: list[str] = []
        self.effects = Effects(clock)
        self.ledger = Ledger()
        self.payments = Payments(self.ledger)
        self.adjustments = Adjustments(self.ledger)
        self.objects = Objects(self.ledger)
        self._tables = tables
        self._watched = {
            name: Watch(name, is_appended=name != "objects")
            for name in ("objects", "transfers", "events", "attributions")
        }

    def note(self, fault: str) -> None:
        """Note something that should not be."""
        self.faults.append(fault)

    def answered(self, ask: Ask, reply: Reply) -> None:
        """Look at an answer."""
        self.faults += self.effects.answered(ask, reply)
        if reply.answer.status < 300:
            shown = msgspec.json.decode(reply.answer.body)
            self.faults += (f"request {ask.number} was shown {shown}: {fault}" for fault in self._unasked(ask, shown))

    def _unasked(self, ask: Ask, shown: dict[str, Any]) -> Iterator[str]:
        """Yield how what was done is not what was asked for."""
        if (ask.tenant, shown["id"]) not in self.objects:
            yield f"that is not there for {TENANTS[ask.tenant]}"
        for name, value in asked(ask).items():
            if shown.get(name) != value:
                yield f"{name} was to be {value}"
        is_whole = ask.verb in {Verb.REFUND, Verb.REVERSE} and not ask.members.keys() & {"amount", "applications"}
        if is_whole and (held := self.payments.held(ask.tenant, shown["payment_id"])):
            yield f"all was to be taken back, and the payment holds {held}"

    def look(self) -> None:
        """Look at all that was committed since the last look."""
        rows = {name: watch.changed(getattr(self._tables, name)) for name, watch in self._watched.items()}
        self.faults += (fault for watch in self._watched.values() for fault in watch.faults())
        if any(rows.values()) and not self.faults:
            self.faults += self._faults(**rows)

    def _faults(
        self, objects: list[Named], transfers: list[Transfer], events: list[Event], attributions: list[Attribution]
    ) -> Iterator[str]:
        yield from (fault for row in attributions for fault in self.effects.done(row))
        touched = {(item.tenant_id, item.id) for item in objects}
        yield from (fault for item in objects for fault in self._stand(item))
        posted = self._posted(transfers)
        expected = self._expected(events, posted)
        for key in sorted(posted.keys() | expected.keys()):
            touched.add(key)
            if posted[key] != expected[key]:
                yield f"{self.objects.called(key)} has the transfers {posted[key]}, and not {expected[key]}"
        yield from self.objects.faults(touched)
        yield from self.payments.faults()
        yield from self.adjustments.faults()
        yield from self._faults_of_sums()

    def _stand(self, item: Named) -> Iterator[str]:
        if isinstance(item, Payment):
            self.payments.stand(item)
        elif isinstance(item, TakenBack):
            self.payments.take_back(item)
        elif isinstance(item, Adjustment):
            self.adjustments.stand(item)
        yield from self.objects.stand(item)

    def _posted(self, transfers: list[Transfer]) -> dict[Key, list[Entry]]:
        """Add transfers to the ledger, and give what they are, by obligation."""
        posted: dict[Key, list[Entry]] = defaultdict(list)
        for transfer in transfers:
            key = transfer.tenant_id, transfer.obligation_id
            posted[key].append(Entry.of(transfer))
            self.faults += (f"{self.objects.called(key)}: {fault}" for fault in self.ledger.post(transfer))
        return posted

    def _expected(self, events: list[Event], posted: dict[Key, list[Entry]]) -> dict[Key, list[Entry]]:
        """Take in events, and give the transfers that they must stand for, by obligation."""
        expected: dict[Key, list[Entry]] = defaultdict(list)
        for event in events:
            self.payments.hear(event)
            key = event.tenant_id, event.object_id
            ahead = posted[key][len(expected[key]) :]
            expected[key] += self.objects.hear(event, ahead[0] if ahead else None)
        return expected

    def _faults_of_sums(self) -> Iterator[str]:
        """Yield where the ledger is not in balance, in itself or with the objects."""
        yield from self.ledger.unbalanced()
        for tenant_id, currency in sorted({(tenant, currency) for tenant, currency, _ in self.ledger.accounts}):
            balances = {
                "receivable": self.objects.owed[tenant_id, currency],
                "clearing": self.payments.good[tenant_id, currency],
                "refunds_payable": -self.payments.refunded[tenant_id, currency],
            }
            for account, expected in balances.items():
                stands = self.ledger.balance(tenant_id, currency, account)
                if stands != expected:
                    yield f"{account} in {currency} of {TENANTS[tenant_id]} is {stands}, and must be {expected}"


def asked(ask: Ask) -> dict[str, Any]:
    """Give the members that must be shown of what was done, as far as they follow from the request alone."""
    members = {name: ask.members[name] for name in SHOWN if name in ask.members}
    if "applications" in ask.members:
        members["amount"] = sum(each["amount"] for each in ask.members["applications"])
    return members
