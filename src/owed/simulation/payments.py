"""Payments as an auditor follows them: what each holds is what its transfers and its events say."""

from collections import Counter
from collections.abc import Iterator

import msgspec

from owed.model.event import Event
from owed.model.payment import Payment
from owed.model.taken_back import TakenBack
from owed.simulation.ledger import Key, Ledger


class Payments:
    """All payments, and what was taken back of them.

    Attributes:
        good: What came in and was never reversed, by tenant and currency.
        refunded: What was given back.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.good: Counter[tuple[int, str]] = Counter()
        self.refunded: Counter[tuple[int, str]] = Counter()
        self._ledger = ledger
        self._payments: dict[Key, Payment] = {}
        self._applied: Counter[Key] = Counter()
        self._applied_events: Counter[Key] = Counter()
        self._reversed: Counter[Key] = Counter()
        self._taken: Counter[Key] = Counter()
        self._taken_counts: Counter[Key] = Counter()
        self._last_back: dict[Key, str] = {}
        self._touched: set[Key] = set()
        self._taken_back: list[TakenBack] = []

    def __len__(self) -> int:
        return len(self._payments)

    def hear(self, event: Event) -> None:
        """Take in what an event says of an application."""
        if not event.type.startswith("obligation."):
            return
        data = msgspec.json.decode(event.body)["data"]
        application, payment = (event.tenant_id, data["id"]), (event.tenant_id, data["payment_id"])
        self._touched.add(payment)
        if event.type == "obligation.amount_applied":
            self._applied[application] += data["amount"]
            self._applied_events[application] += 1
        else:
            self._reversed[application] += data["amount"]
            self._last_back[payment] = "refunded" if "refund_id" in data else "reversed"

    def stand(self, payment: Payment) -> None:
        """Let a payment stand so from now on."""
        key = payment.tenant_id, payment.id
        before = self._payments.get(key)
        self._payments[key] = payment
        self._touched.add(key)
        for sign, each in ((-1, before), (1, payment)):
            if each is not None:
                self.good[each.tenant_id, each.currency] += sign * (each.amount - each.amount_reversed)
                self.refunded[each.tenant_id, each.currency] += sign * each.amount_refunded

    def take_back(self, taken_back: TakenBack) -> None:
        """Note what was taken back of a payment."""
        key = taken_back.tenant_id, taken_back.payment_id
        self._touched.add(key)
        self._taken[taken_back.tenant_id, f"{taken_back.payment_id} {taken_back.kind}"] += taken_back.amount
        self._taken_counts[key] += 1
        self._taken_back.append(taken_back)

    def held(self, tenant_id: int, payment_id: str) -> int:
        """Give what a payment holds."""
        payment = self._payments.get((tenant_id, payment_id))
        return payment.held if payment else 0

    def faults(self) -> Iterator[str]:
        """Yield what is wrong with what has changed since this was last asked."""
        for key in sorted(self._touched):
            payment = self._payments.get(key)
            faults = self._faults_of(payment) if payment else ["is not there"]
            yield from (f"payment {key[1]}: {fault}" for fault in faults)
        for taken_back in self._taken_back:
            yield from (f"{taken_back.kind} {taken_back.id}: {fault}" for fault in self._faults_of_taken(taken_back))
        self._touched, self._taken_back = set(), []

    def _faults_of(self, payment: Payment) -> Iterator[str]:
        tenant_id = payment.tenant_id
        if payment.amount != sum(each.amount for each in payment.applications):
            yield f"is of {payment.amount}, and was applied as {payment.applications}"
        if len({each.object_id for each in payment.applications}) < len(payment.applications):
            yield f"was applied twice to the same: {payment.applications}"
        for each in payment.applications:
            told = (self._applied[tenant_id, each.id], self._applied_events[tenant_id, each.id])
            if told != (each.amount, 1):
                yield f"its application {each} was told of as {told[0]}, {told[1]} times"
            if each.taken_back != self._reversed[tenant_id, each.id] or not 0 <= each.taken_back <= each.amount:
                yield f"of its application {each}, {self._reversed[tenant_id, each.id]} was told to be taken back"
            posted = self._ledger.held[tenant_id, payment.id, each.object_id]
            if posted != each.amount - each.taken_back:
                yield f"its application {each} holds {posted} in the ledger"
        yield from self._faults_of_back(payment)

    def _faults_of_back(self, payment: Payment) -> Iterator[str]:
        """Yield where what a payment holds, and what was taken back of it, do not come to its amount."""
        held = sum(each.amount - each.taken_back for each in payment.applications)
        if held != payment.amount - payment.amount_refunded - payment.amount_reversed:
            yield f"holds {held} of {payment.amount}, {payment.amount_refunded} + {payment.amount_reversed} taken back"
        counted = [self._taken[payment.tenant_id, f"{payment.id} {kind}"] for kind in ("refund", "reversal")]
        if counted != [payment.amount_refunded, payment.amount_reversed]:
            yield f"has {payment.amount_refunded} and {payment.amount_reversed} taken back, and there is {counted}"
        if payment.version != 1 + self._taken_counts[payment.tenant_id, payment.id]:
            yield f"is at version {payment.version}, and was taken back of {payment.version - 1} times"
        last = self._last_back.get((payment.tenant_id, payment.id))
        status = "succeeded" if last is None else f"partially_{last}" if held else last
        if payment.shown()["status"] != status:
            yield f"is shown as {payment.shown()['status']}, and must be {status}"

    def _faults_of_taken(self, taken_back: TakenBack) -> Iterator[str]:
        posted = self._ledger.taken_back[taken_back.tenant_id, taken_back.id]
        shares = sum(share.amount for share in taken_back.applications)
        if not taken_back.amount == shares == posted:
            yield f"is of {taken_back.amount}, its shares of {shares}, its transfers of {posted}"
