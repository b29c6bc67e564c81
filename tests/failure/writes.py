"""What the callers write: single objects, several at once, changes and voids; some are sure to be refused."""

import json
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Final

from tests.contract.client import Json

LARGEST: Final = 2**53 - 1
DUE: Final = 99_999_999
HOT: Final = 3
RIVALS: Final = 4
"""How many are given each reference that only one can have."""

CUSTOMERS: Final = "/billing/customers"
PLACES: Final = {"customer": CUSTOMERS, "account": "/billing/accounts", "bill": "/billing/bills"}

Known = dict[str, list[str]]
"""By kind, the ids and references of what is there."""


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
        """Tell of what kind of object the path is."""
        return next(kind for kind, place in PLACES.items() if self.path.startswith(place))

    @property
    def name(self) -> str | None:
        """Give what the path calls the object; None where it creates one."""
        return self.path.removesuffix("/void").removeprefix(PLACES[self.kind]).strip("/") or None


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
        """Give a balance that nothing had before."""
        return self.marked(currency="ZAR", balance=self.random.randint(-LARGEST, LARGEST))

    def marked(self, **fields: object) -> Json:
        return {**fields, "metadata": {"key": self.key}}

    def new(self, kind: str, **fields: object) -> Json:
        """Give what makes an object, whose reference others may want too."""
        reference = f"contested-{next(self.contested[kind]) // RIVALS}" if self.is_likely(0.2) else f"own-{self.key}"
        amounts = self.marked(currency="ZAR", amount_due=DUE) if kind == "bill" else self.balance()
        return {"external_reference": reference, **amounts, **fields}

    def one(self, kind: str) -> str:
        """Name an object that is there, often one that is hot."""
        return self.random.choice(self.known[kind][:HOT] if self.is_likely(0.5) else self.known[kind])

    def parent(self, kind: str) -> Json | str:
        """Name an object that is there, or one that nobody knows, or give a new one."""
        if self.is_likely(0.4) or not self.known[kind]:
            return self.new(kind)
        return f"nobody-{self.key}" if self.is_likely(0.1) else self.one(kind)


Chosen = tuple[str, str, Json]


def customer(chooser: Chooser) -> Chosen:
    return "POST", CUSTOMERS, chooser.new("customer")


def account(chooser: Chooser) -> Chosen:
    return "POST", PLACES["account"], chooser.new("account", customer=chooser.parent("customer"))


def bill(chooser: Chooser) -> Chosen:
    kind = chooser.random.choice(["customer", "account"])
    return "POST", PLACES["bill"], chooser.new("bill", **{kind: chooser.one(kind)})


def composite(chooser: Chooser) -> Chosen:
    """Choose a bill on a new account: of a customer that is new too, or there, or unknown, named in either place."""
    if chooser.is_likely(0.3):
        parents = {"account": chooser.new("account"), "customer": chooser.parent("customer")}
    else:
        parents = {"account": chooser.new("account", customer=chooser.parent("customer"))}
    return "POST", PLACES["bill"], chooser.new("bill", **parents)


def nobody(chooser: Chooser) -> Chosen:
    return "PATCH", f"{PLACES[chooser.random.choice(list(PLACES))]}/nobody-{chooser.key}", chooser.marked()


def balance(chooser: Chooser) -> Chosen:
    kind = chooser.random.choice(["customer", "account"])
    return "PATCH", f"{PLACES[kind]}/{chooser.one(kind)}", chooser.balance()


def correction(chooser: Chooser) -> Chosen:
    """Choose to say what is paid of a bill: often nothing, often all."""
    paid = chooser.random.choice([0, 0, DUE, chooser.random.randint(0, DUE)])
    return "PATCH", f"{PLACES['bill']}/{chooser.one('bill')}", chooser.marked(amount_paid=paid)


def currency(chooser: Chooser) -> Chosen:
    fields = chooser.marked(currency=chooser.random.choice(["ZAR", "USD"]))
    return "PATCH", f"{PLACES['bill']}/{chooser.one('bill')}", fields


def void(chooser: Chooser) -> Chosen:
    of = chooser.random.choice(chooser.known["bill"][HOT:])  # what is hot has been paid, or is to be
    return "POST", f"{PLACES['bill']}/{of}/void", chooser.marked()


CHOICES: Final = (
    (customer, 10), (account, 10), (bill, 10), (composite, 25), (nobody, 2), (balance, 20), (correction, 15),
    (currency, 4), (void, 4),
)  # fmt: skip
"""What a caller may do, and how often."""


def next_write(chooser: Chooser) -> Write:
    """Choose what to write next; first of all there must be something to change."""
    (choose,) = chooser.random.choices(*zip(*CHOICES, strict=True))
    if any(len(known) <= HOT for known in chooser.known.values()):
        choose = composite
    method, path, fields = choose(chooser)
    return Write(chooser.key, method, path, json.dumps(fields).encode())
