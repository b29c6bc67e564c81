"""A write of the callers, and what each is chosen with."""

import json
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Final, TypeVar

from owed.model.identifiers import ACCOUNT, BILL, CUSTOMER
from tests.contract.client import Json

LARGEST: Final = 2**53 - 1
DUE: Final = 99_999_999
HOT: Final = 3
RIVALS: Final = 4
"""How many are given each reference that only one can have."""

CUSTOMERS: Final = "/billing/customers"
PLACES: Final = {"customer": CUSTOMERS, "account": "/billing/accounts", "bill": "/billing/bills"}
PAYMENTS: Final = "/billing/payments"
DOCUMENTS: Final = ("refund", "reversal", "allocation", "move")
KINDS: Final = {f"{kind}s": kind for kind in (*PLACES, "payment", *DOCUMENTS, "charge", "credit")}
"""What the collections in a path are of."""
IDS: Final = (CUSTOMER, ACCOUNT, BILL)
LONG_AGO: Final = "2020-01-31T09:30:00Z"

Chosen = TypeVar("Chosen")


class Known:
    """What the callers of one API key know of.

    Attributes:
        objects: By kind, the ids and references of what is there.
        payments: Those that were made, as they were shown.
        applications: What holds money of a payment, or held some: the payment's id, and the application as shown.
        unallocated: Ids of payments of which something was applied to nothing.
        adjustments: Where charges and credits are.
    """

    def __init__(self) -> None:
        self.objects: dict[str, list[str]] = {kind: [] for kind in PLACES}
        self.payments: list[Json] = []
        self.applications: list[tuple[str, Json]] = []
        self.unallocated: list[str] = []
        self.adjustments: list[str] = []

    def learn(self, kind: str, made: Json, path: str) -> None:
        """Get to know what was made."""
        if kind in {"charge", "credit"}:
            self.adjustments.append(path)
        elif kind in PLACES:
            self.objects[kind] += (made["id"], made["external_reference"])
            for parent in ("customer", "account"):
                if name := made.get(f"{parent}_id"):
                    self.objects[parent].append(name)
        else:
            self._learn_of_money(kind, made)

    def _learn_of_money(self, kind: str, made: Json) -> None:
        payment_id: str = made["payment_id"] if "payment_id" in made else made["id"]
        applied: list[Json] = [] if kind in {"refund", "reversal"} else made.get("applications", [made.get("to")])
        self.applications += ((payment_id, each) for each in applied if each)
        if kind == "payment":
            self.payments.append(made)
        if made.get("amount_unallocated") if kind == "payment" else kind == "move" and "to" not in made:
            self.unallocated.append(payment_id)


@dataclass(frozen=True)
class Write:
    """A write with its key, as it is sent however often."""

    key: str
    method: str
    path: str
    body: bytes

    @property
    def fields(self) -> Json:
        fields: Json = json.loads(self.body)
        return fields

    @property
    def kind(self) -> str:
        """Tell of what kind that is which it makes or changes."""
        return [KINDS[part] for part in self.path.split("/") if part in KINDS][-1]

    @property
    def name(self) -> str | None:
        """Give what the path calls an object, or the payment that is taken back; None where there is no such name."""
        return next(iter(self.path.split("/")[3:]), None)

    @property
    def moves_money(self) -> bool:
        """Tell whether it pays, or changes a payment."""
        return self.path.startswith(PAYMENTS)

    @property
    def adjusts(self) -> bool:
        """Tell whether it charges or credits an object, or takes that back."""
        return self.kind in {"charge", "credit"}

    @property
    def takes_back(self) -> str | None:
        """Give the id of the charge or credit that it reverses; None where it reverses none."""
        *_, name, verb = self.path.split("/")
        return name if verb == "reverse" else None

    @property
    def deed(self) -> str:
        """Name what it does more closely than its kind does."""
        if self.takes_back:
            return f"reversed {self.kind}"
        if self.fields.get("received"):
            return "received payment"
        return "dated balance" if "balance_as_of" in self.fields else self.kind

    @property
    def needs_key(self) -> bool:
        """Tell whether it is refused without its key."""
        return self.moves_money or self.adjusts


@dataclass(frozen=True)
class Chooser:
    """What one write is chosen with. Whatever it makes or changes carries its key in its metadata."""

    known: Known
    contested: dict[str, "count[int]"]
    random: Random
    key: str

    def is_likely(self, probability: float) -> bool:
        return self.random.random() < probability

    def balance(self) -> Json:
        """Give a balance that nothing had before; most can be paid."""
        return self.marked(currency="ZAR", balance=self.random.randint(-LARGEST // 4, LARGEST))

    def amount(self) -> int:
        """Give what to pay: mostly little, often all of a bill, sometimes more than any bill takes."""
        return self.random.choice([*[self.random.randint(1, DUE // 10_000)] * 16, *[DUE] * 3, DUE + 1])

    def marked(self, **fields: object) -> Json:
        return {**fields, "metadata": {"key": self.key}}

    def new(self, kind: str, **fields: object) -> Json:
        """Give what makes an object, whose reference others may want too."""
        amounts = self.marked(currency="ZAR", amount_due=DUE) if kind == "bill" else self.balance()
        return {**self.reference(kind), **amounts, **fields}

    def reference(self, kind: str) -> Json:
        """Give a reference of one's own, or one that only one of several can have."""
        if self.is_likely(0.2):
            return {"external_reference": f"contested-{next(self.contested[kind]) // RIVALS}"}
        return {"external_reference": f"own-{self.key}"}

    def one(self, kind: str) -> str:
        """Name an object that is there, often one that is hot."""
        return self.random.choice(self.known.objects[kind][:HOT] if self.is_likely(0.5) else self.known.objects[kind])

    def parent(self, kind: str) -> Json | str:
        """Name an object that is there, or one that nobody knows, or give a new one."""
        if self.is_likely(0.4) or not self.known.objects[kind]:
            return self.new(kind)
        return f"nobody-{self.key}" if self.is_likely(0.1) else self.one(kind)

    def several(self) -> list[tuple[str, str]]:
        """Name some objects of any kinds, hot ones and new ones, each once: by its id."""
        likely = {
            (kind, name) for kind, known in self.known.objects.items() for name in (*known[: HOT * 3], *known[-HOT:])
        }
        there = sorted((kind, name) for kind, name in likely if name.startswith(IDS))
        return self.random.sample(there, min(len(there), self.random.randint(2, 5)))

    def payment(self) -> Json:
        """Give a payment that was made, often one that others take back too, mostly a late one."""
        return self.late(self.known.payments)

    def late(self, those: list[Chosen]) -> Chosen:
        """Choose one, mostly a late one, which others choose too."""
        return self.random.choice(those[-HOT * 4 :] if self.is_likely(0.6) else those)
