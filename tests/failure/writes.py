"""What the callers write: objects, changes and voids, and what moves money; some are sure to be refused."""

import json
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Final

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
KINDS: Final = {f"{kind}s": kind for kind in (*PLACES, "payment", "refund", "reversal", "charge", "credit")}
"""What the collections in a path are of."""
IDS: Final = (CUSTOMER, ACCOUNT, BILL)
LONG_AGO: Final = "2020-01-31T09:30:00Z"

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
        """Tell of what kind that is which it makes or changes."""
        return [KINDS[part] for part in self.path.split("/") if part in KINDS][-1]

    @property
    def name(self) -> str | None:
        """Give what the path calls an object, or the payment that is taken back; None where there is no such name."""
        return next(iter(self.path.split("/")[3:]), None)

    @property
    def moves_money(self) -> bool:
        """Tell whether it pays, or takes a payment back."""
        return self.path.startswith(PAYMENTS)

    @property
    def adjusts(self) -> bool:
        """Tell whether it charges or credits an object."""
        return self.kind in {"charge", "credit"}

    @property
    def needs_key(self) -> bool:
        """Tell whether it is refused without its key."""
        return self.moves_money or self.adjusts


@dataclass(frozen=True)
class Chooser:
    """What one write is chosen with. Whatever it makes or changes carries its key in its metadata.

    Attributes:
        payments: Those that were told of, as they were shown.
    """

    known: Known
    payments: list[Json]
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
        return self.random.choice(self.known[kind][:HOT] if self.is_likely(0.5) else self.known[kind])

    def parent(self, kind: str) -> Json | str:
        """Name an object that is there, or one that nobody knows, or give a new one."""
        if self.is_likely(0.4) or not self.known[kind]:
            return self.new(kind)
        return f"nobody-{self.key}" if self.is_likely(0.1) else self.one(kind)

    def several(self) -> list[tuple[str, str]]:
        """Name some objects of any kinds, hot ones and new ones, each once: by its id."""
        likely = {(kind, name) for kind, known in self.known.items() for name in (*known[: HOT * 3], *known[-HOT:])}
        there = sorted((kind, name) for kind, name in likely if name.startswith(IDS))
        return self.random.sample(there, min(len(there), self.random.randint(2, 5)))

    def payment(self) -> Json:
        """Give a payment that was made, often one that others take back too, mostly a late one."""
        choice = self.random.choice
        return choice(self.payments[-HOT * 4 :] if self.is_likely(0.6) else self.payments)


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


def payment(chooser: Chooser) -> Chosen:
    """Choose to pay one object, seldom one that nobody knows, or several at once."""
    further = chooser.random.choice(
        [{}, {"channel": "web"}, {"paid_at": LONG_AGO}, *[chooser.reference("payment")] * 2]
    )
    currency = "USD" if chooser.is_likely(0.03) else "ZAR"
    return "POST", PAYMENTS, chooser.marked(currency=currency, **parts(chooser), **further)


def parts(chooser: Chooser) -> Json:
    """Choose what to pay, and with how much."""
    if chooser.is_likely(0.3):
        applications = [{kind: name, "amount": chooser.amount()} for kind, name in chooser.several()]
        return {"applications": applications, "amount": sum(part["amount"] for part in applications)}
    kind = chooser.random.choice(["bill", "bill", "account", "customer"])
    return {kind: f"nobody-{chooser.key}" if chooser.is_likely(0.03) else chooser.one(kind), "amount": chooser.amount()}


def refund(chooser: Chooser) -> Chosen:
    return taking_back(chooser, "refund")


def reversal(chooser: Chooser) -> Chosen:
    return taking_back(chooser, "reversal", reason="dishonoured")


def taking_back(chooser: Chooser, kind: str, **reason: str) -> Chosen:
    """Choose to take back all that is left of a payment, or a part, or of one application; sometimes too much."""
    made = chooser.payment()
    of = chooser.random.choice(made["applications"])
    much, little = chooser.random.randint(1, made["amount"]), chooser.random.randint(1, 1 + of["amount"] // 3)
    ways: list[Json] = [
        {},
        {"amount": much},
        {"amount": little},
        {"applications": [{"id": of["id"], "amount": little}]},
    ]
    reference = chooser.reference(kind) if chooser.is_likely(0.5) else {}
    name = chooser.random.choice([made["id"], made.get("external_reference", made["id"])])
    path = f"{PAYMENTS}/{f'nobody-{chooser.key}' if chooser.is_likely(0.03) else name}/{kind}s"
    return "POST", path, chooser.marked(**chooser.random.choice(ways), **reason, **reference)


def charge(chooser: Chooser) -> Chosen:
    """Choose to charge a balance, often one that is hot, and often only as far as there is credit."""
    kind = chooser.random.choice(["customer", "account"])
    floor = chooser.random.choice([{}, {"floor": 0}, {"floor": -LARGEST // 8}])
    return adjusting(chooser, "charge", kind, **floor)


def credit(chooser: Chooser) -> Chosen:
    """Choose to credit a balance, or a bill: sometimes too much."""
    kind = chooser.random.choice(["customer", "account", "bill", "bill"])
    return adjusting(chooser, "credit", kind, **({"type": "discount"} if kind == "bill" else {}))


def adjusting(chooser: Chooser, kind: str, on: str, **special: object) -> Chosen:
    reference = chooser.reference(kind) if chooser.is_likely(0.5) else {}
    path = f"{PLACES[on]}/{chooser.one(on)}/{kind}s"
    return "POST", path, chooser.marked(amount=chooser.amount(), **special, **reference)


CHOICES: Final = (
    (customer, 10), (account, 10), (bill, 10), (composite, 25), (nobody, 2), (balance, 20), (correction, 15),
    (currency, 4), (void, 4), (payment, 60), (refund, 20), (reversal, 20),
    (charge, 20), (credit, 15),
)  # fmt: skip
"""What a caller may do, and how often."""


def next_write(chooser: Chooser) -> Write:
    """Choose what to write next; first of all there must be something to change, and to take back."""
    (choose,) = chooser.random.choices(*zip(*CHOICES, strict=True))
    if any(len(known) <= HOT for known in chooser.known.values()):
        choose = composite
    if choose in {refund, reversal} and not chooser.payments:
        choose = payment
    method, path, fields = choose(chooser)
    return Write(chooser.key, method, path, json.dumps(fields).encode())
