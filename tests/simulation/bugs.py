"""Bugs to plant: each is small, hides in most histories, and breaks a promise all the same."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from owed.core import adjusting, applying, changing_payments, journal, reversing_adjustments, rules, verdicts
from owed.core.rules import Explanation, Payable, Rule
from owed.core.state import Name, State
from owed.engine import attempts, deciding
from owed.engine.store import Conflict, Unavailable, Writing
from owed.model.bill import Bill
from owed.simulation.world import WatchedStore
from owed.store.memory import rows_of


class ForgetsAnswers(WatchedStore):
    """Keeps the effects of a request, and loses the answer of its key."""

    def save(self, writing: Writing) -> None:
        super().save(msgspec.structs.replace(writing, answers={}))


class IgnoresStaleVersions(WatchedStore):
    """Lets payments overlap: whoever writes last wins, and the update before is lost."""

    def save(self, writing: Writing) -> None:
        new = rows_of(writing, self._now())
        if any(self.kept(key) for key in writing.answers) or self.tables.claimed.keys() & new.claimed.keys():
            raise Conflict
        for table in new.__struct_fields__:
            getattr(self.tables, table).update(getattr(new, table))
        self.on_commit()


class DeniesWhatItSaved(WatchedStore):
    """Says of a payment that it was not saved, when it was."""

    def save(self, writing: Writing) -> None:
        super().save(writing)
        if writing.state.payments.created():
            raise Unavailable


class SavesByHalves(WatchedStore):
    """Finds out too late that something is stale: what hangs on no object stays."""

    def save(self, writing: Writing) -> None:
        try:
            super().save(writing)
        except Conflict:
            self.tables.events.update(rows_of(writing, self._now()).events)
            raise


class MixesTestAndLive(WatchedStore):
    """Finds an object of another tenant where the tenant has none of that name."""

    def _state(self, names: Iterable[Name], *, knows_claims: bool = True) -> State:
        names = list(names)
        state = super()._state(names, knows_claims=knows_claims)
        for name in names:
            other = self.tables.names.get((name.kind, 3 - name.tenant_id, name.text))
            shelf = state.shelves[name.kind]
            if other and shelf.find(name.tenant_id, name.text) is None:
                shelf.load(self.tables.objects[other])
                shelf._by_name[name.tenant_id, name.text] = self.tables.objects[other]
        return state


Plant = Callable[[pytest.MonkeyPatch], None]


def refunds_forget_amount_paid(patch: pytest.MonkeyPatch) -> None:
    """A refund raises what is owed again, and leaves `amount_paid` as it was."""
    right = applying.applied

    def applied(item: Any, amount: int, *given: Any) -> Any:
        after = right(item, amount, *given)
        return msgspec.structs.replace(after, amount_paid=item.amount_paid) if isinstance(after, Bill) else after

    patch.setattr(changing_payments, "applied", applied)


def what_is_settled_may_be_paid_again(patch: pytest.MonkeyPatch) -> None:
    """Where nothing is owed, rules that forbid an overpayment are forgotten."""

    def explain(payable: Payable, amount: int, currency: str) -> Explanation:
        right = rules.explain(payable, amount, currency)
        forgotten = set() if payable.owed else {Rule.OVERPAYMENT_ALLOWED}
        return msgspec.structs.replace(right, rules=tuple(rule for rule in right.rules if rule not in forgotten))

    patch.setattr(verdicts, "explain", explain)


def charges_go_below_the_floor(patch: pytest.MonkeyPatch) -> None:
    """A charge is refused only where nothing is left above its floor, however large it is."""
    right = adjusting.ChargeBalance.forbidden

    def forbidden(command: Any, item: Any, _amount: int) -> Any:
        return right(command, item, 1)

    patch.setattr(adjusting.ChargeBalance, "forbidden", forbidden)


def reversals_forget_what_was_credited(patch: pytest.MonkeyPatch) -> None:
    """A credit that is taken back raises what remains of the bill, and still counts as credited."""
    right = adjusting.adjusted

    def adjusted(item: Any, adjustment: Any, effect: int, *given: Any) -> Any:
        if not isinstance(item, Bill) or effect < 0:
            return right(item, adjustment, effect, *given)
        bill = msgspec.structs.replace(item, amount_credited=item.amount_credited + effect)
        return right(bill, adjustment, effect, *given)

    patch.setattr(reversing_adjustments, "adjusted", adjusted)


def time_stands_still_in_the_ledger(patch: pytest.MonkeyPatch) -> None:
    """When the clock has gone back, a transfer is recorded at the time of the one before it."""
    patch.setattr(journal, "TICK", timedelta())


def clients_hear_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    """A batch that holds its keys is answered when it is decided, whether or not it is saved then."""
    right = deciding.decide

    def decide(*given: Any) -> Any:
        decided, writing = right(*given)
        attempts.settle(decided)
        return decided, writing

    patch.setattr(attempts, "decide", decide)
