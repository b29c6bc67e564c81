"""The story that the examples tell: a demo merchant's requests on one day, and what they become, decided as any are."""

from collections import Counter
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any

import msgspec

from owed.api.books import Asked, Books, Json, PaymentAsked, done
from owed.api.demo import demo_requests
from owed.api.fields import Faults
from owed.api.settings import UPDATE, settings_members
from owed.core.erasing import Erase
from owed.core.journal import Journal
from owed.core.outcomes import Refused
from owed.core.state import Name
from owed.engine.clock import BatchStamp
from owed.model.attribution import Actor
from owed.model.customer import Customer
from owed.model.identifiers import IdSource
from owed.model.named import Named
from owed.model.tenant_settings import SettingsRecord, TenantSettings
from owed.model.transfer import Transfer
from owed.store.entries import Entry
from owed.store.trial_balance import Line

MORNING = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)

JOHN = "UCR1234567890"
HIS_ACCOUNT = "UAR1234567890"
HIS_BILL = "UBR1234567890"
WRONG_BILL = "UBR1234567889"
"""One with nothing paid on it, which may be voided."""

THANDI = "UCR1234567887"
HER_WATER = "UAR1234567888"
PREPAID = "UAR1234567887"

TWO_BILLS = "PAY-1001"
REVERSED = "PAY-1002"
REFUNDED = "PAY-1003"
CARD = "PAY-1004"
REFUND = "REF-1001"
REVERSAL = "REV-1001"

UNALLOCATED = "PAY-1006"
"""One of which a part is applied to nothing."""

DEPOSITED = "PAY-1007"
ALLOCATION = "ALL-1001"
MOVE = "MOV-1001"
KABELO = "UCR1234567888"

DOCUMENTS = {"refund": REFUND, "reversal": REVERSAL, "allocation": ALLOCATION, "move": MOVE}
"""What changed payments, by its kind."""

AMINA = "UCR1234567889"
HER_BILL = "INV-1007"
ADJUSTED = {
    ("charge", "account"): "CHG-1001",
    ("charge", "customer"): "CHG-1002",
    ("credit", "account"): "CRD-1001",
    ("credit", "customer"): "CRD-1002",
    ("credit", "bill"): "CRD-1003",
}
"""What was charged and credited, on each kind of object."""


STARTING = SettingsRecord(tenant_id=1, settings=TenantSettings(), updated_at=MORNING)
"""The settings of a new merchant."""


class StoryStamp(BatchStamp):
    """The time of the story. Its secrets are the same on every worker: they are for nobody to use."""

    def __init__(self, ids: IdSource, chance: Random) -> None:
        super().__init__(MORNING, ids)
        self._chance = chance

    def new_secret(self) -> bytes:
        """Give 32 bytes that anybody can guess."""
        return self._chance.randbytes(32)


def opened() -> Books:
    """Open the demo merchant's books; the ids in them are the same on every worker."""
    ids, chance = IdSource(Random("the demo merchant")), Random("the demo merchant's secrets")
    found = Books(1, "key_1", TenantSettings(), lambda: StoryStamp(ids, chance))
    for asked in demo_requests(MORNING.date()):
        found.enter(asked)
    return found


@cache
def books() -> Books:
    """Give the books that the examples are of."""
    return opened()


def standing(kind: str, name: str) -> Any:
    """Give an object as it stands."""
    found = books().state.shelves[kind].find(1, name)
    if found is None:
        raise LookupError(name)
    return found


def shown(item: Named) -> Json:
    """Give an object as an answer has it."""
    return as_answered(item.shown())


def as_answered(value: object) -> Json:
    """Give a value as it comes out of the JSON of an answer."""
    answer: Json = msgspec.json.decode(msgspec.json.encode(value))
    return answer


def outcome(asked: Asked) -> Json:
    """Give the answer to a request."""
    return shown(books().outcome(asked))


def refusal(asked: Asked) -> Refused:
    """Give what refuses a request."""
    return books().refusal(asked)


def erased(name: str) -> Json:
    """Give a customer as it would be if it were erased."""
    customer = standing(Customer.kind, name)
    objects = (Name(Customer.kind, 1, customer.id),)
    journal = Journal(1, Actor("key_1"), BatchStamp(MORNING, IdSource(Random("a pseudonym"))))
    command = Erase(tenant_id=1, actor=journal.actor, subject=customer.id, objects=objects)
    return shown(done(command.decide(books().state, journal)))


def settings(**given: Any) -> Json:
    """Give the settings of a new merchant, with what a request gives in place."""
    members = settings_members(UPDATE.check_members(given, "", Faults()))
    return shown(msgspec.structs.replace(STARTING, settings=members.in_place(STARTING.settings)))


def checked(given: Json) -> Json:
    """Give the answer to a check of a payment."""
    answer: Json = msgspec.to_builtins(books().checked(PaymentAsked(given)))
    return answer


def entries(kind: str, name: str) -> list[Json]:
    """Give the entries of an object, newest first."""
    obligation_id = standing(kind, name).id
    transfers = [each for each in books().state.transfers if each.obligation_id == obligation_id]
    return [msgspec.to_builtins(entry(transfer).shown()) for transfer in reversed(transfers)]


def entry(transfer: Transfer) -> Entry:
    """Give a transfer as an entry; nobody says in the demo who acts."""
    members = {name: getattr(transfer, name) for name in Entry.__struct_fields__ if hasattr(transfer, name)}
    return Entry(**members, actor=None, reason=None)


def trial_balance() -> Json:
    """Draw up the trial balance."""
    debits, credits_ = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for each in books().state.transfers:
        debits[each.debit, each.currency] += abs(each.amount)
        credits_[each.credit, each.currency] += abs(each.amount)
    lines = [Line(*key, debits[key], credits_[key]) for key in sorted({*debits, *credits_})]
    answer: Json = msgspec.to_builtins({"as_of": MORNING, "data": [line.shown() for line in lines]})
    return answer
