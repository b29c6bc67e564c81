"""What the callers may write: objects, changes and voids, and what moves money; some are sure to be refused."""

import json
from typing import Final

from tests.contract.client import Json
from tests.failure.writes import (
    CUSTOMERS,
    DUE,
    HOT,
    LARGEST,
    LONG_AGO,
    PAYMENTS,
    PLACES,
    Chooser,
    Write,
)

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


def dated_balance(chooser: Chooser) -> Chosen:
    """Choose to give a balance of an earlier time: what has moved it since comes on top."""
    kind = chooser.random.choice(["customer", "account"])
    fields = chooser.marked(balance=chooser.random.randint(-LARGEST // 4, LARGEST // 2))
    as_of = chooser.random.choice([LONG_AGO, chooser.payment()["created_at"]])
    return "PATCH", f"{PLACES[kind]}/{chooser.one(kind)}", fields | {"balance_as_of": as_of}


def correction(chooser: Chooser) -> Chosen:
    """Choose to say what is paid of a bill: often nothing, often all."""
    paid = chooser.random.choice([0, 0, DUE, chooser.random.randint(0, DUE)])
    return "PATCH", f"{PLACES['bill']}/{chooser.one('bill')}", chooser.marked(amount_paid=paid)


def currency(chooser: Chooser) -> Chosen:
    fields = chooser.marked(currency=chooser.random.choice(["ZAR", "USD"]))
    return "PATCH", f"{PLACES['bill']}/{chooser.one('bill')}", fields


def void(chooser: Chooser) -> Chosen:
    of = chooser.random.choice(chooser.known.objects["bill"][HOT:])  # what is hot has been paid, or is to be
    return "POST", f"{PLACES['bill']}/{of}/void", chooser.marked()


def payment(chooser: Chooser) -> Chosen:
    """Choose to pay one object, seldom one that nobody knows, or several at once."""
    return "POST", PAYMENTS, chooser.marked(**parts(chooser), **particulars(chooser))


def received(chooser: Chooser) -> Chosen:
    """Choose money that is here already: often more than is applied, sometimes all of it to nothing, or of nobody."""
    fields: Json = {"amount": chooser.amount()} if chooser.is_likely(0.1) else parts(chooser)
    fields["amount"] += chooser.random.choice([0, 1, chooser.amount()]) if "applications" in fields else 0
    if "customer" not in fields and chooser.is_likely(0.2):
        fields["customer"] = f"nobody-{chooser.key}" if chooser.is_likely(0.1) else chooser.one("customer")
    return "POST", PAYMENTS, chooser.marked(received=True, **fields, **particulars(chooser))


def particulars(chooser: Chooser) -> Json:
    """Choose what a payment says beside what it pays."""
    further: Json = chooser.random.choice(
        [{}, {"channel": "web"}, {"paid_at": LONG_AGO}, *[chooser.reference("payment")] * 2]
    )
    return {"currency": "USD" if chooser.is_likely(0.03) else "ZAR", **further}


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
    much, little = chooser.random.randint(1, made["amount"]), chooser.random.randint(1, 1 + made["amount"] // 3)
    ways: list[Json] = [{}, {"amount": much}, {"amount": little}]
    if made["applications"]:
        of = chooser.random.choice(made["applications"])
        ways.append({"applications": [{"id": of["id"], "amount": chooser.random.randint(1, 1 + of["amount"] // 3)}]})
    name = chooser.random.choice([made["id"], made.get("external_reference", made["id"])])
    return changing(chooser, name, kind, **chooser.random.choice(ways), **reason)


def changing(chooser: Chooser, payment: str, kind: str, **fields: object) -> Chosen:
    """Choose to change a payment, seldom one that nobody knows."""
    reference = chooser.reference(kind) if chooser.is_likely(0.5) else {}
    name = f"nobody-{chooser.key}" if chooser.is_likely(0.03) else payment
    return "POST", f"{PAYMENTS}/{name}/{kind}s", chooser.marked(**fields, **reference)


def allocation(chooser: Chooser) -> Chosen:
    """Choose to apply unallocated money: all that fits, or a part, or several; sometimes more than there is."""
    kind, little = chooser.random.choice(["bill", "account", "customer"]), chooser.random.randint(1, DUE // 10_000)
    several = [{kind: name, "amount": 1 + little // 9} for kind, name in chooser.several()]
    ways: list[Json] = [{kind: chooser.one(kind)}, {kind: chooser.one(kind), "amount": little}]
    if several:
        ways.append({"applications": several})
    return changing(chooser, chooser.late(chooser.known.unallocated), "allocation", **chooser.random.choice(ways))


def move(chooser: Chooser) -> Chosen:
    """Choose to move all that an application holds, or a part, to something else or to nothing; sometimes too much."""
    payment, application = chooser.late(chooser.known.applications)
    kind = chooser.random.choice(["bill", "account", "customer"])
    to = {} if chooser.is_likely(0.3) else {kind: chooser.one(kind)}
    amount = {"amount": chooser.random.randint(1, 1 + application["amount"] // 2)} if chooser.is_likely(0.5) else {}
    return changing(chooser, payment, "move", application=application["id"], **amount, **to)


def charge(chooser: Chooser) -> Chosen:
    """Choose to charge a balance, often one that is hot, and often only as far as there is credit."""
    kind = chooser.random.choice(["customer", "account"])
    floor = chooser.random.choice([{}, {"floor": 0}, {"floor": -LARGEST // 8}])
    return adjusting(chooser, "charge", kind, **floor)


def credit(chooser: Chooser) -> Chosen:
    """Choose to credit a balance, or a bill: sometimes too much."""
    kind = chooser.random.choice(["customer", "account", "bill", "bill"])
    of_bill = {"type": chooser.random.choice(["credit_note", "discount", "write_off"])}
    return adjusting(chooser, "credit", kind, **(of_bill if kind == "bill" else {}))


def undoing(chooser: Chooser) -> Chosen:
    """Choose to take back a charge or a credit, which others take back too."""
    return "POST", f"{chooser.late(chooser.known.adjustments)}/reverse", {}


def adjusting(chooser: Chooser, kind: str, on: str, **special: object) -> Chosen:
    reference = chooser.reference(kind) if chooser.is_likely(0.5) else {}
    path = f"{PLACES[on]}/{chooser.one(on)}/{kind}s"
    return "POST", path, chooser.marked(amount=chooser.amount(), **special, **reference)


CHOICES: Final = (
    (customer, 10), (account, 10), (bill, 10), (composite, 25), (nobody, 2), (balance, 15), (dated_balance, 10),
    (correction, 15), (currency, 4), (void, 4), (payment, 50), (received, 25), (refund, 20), (reversal, 20),
    (allocation, 25), (move, 25), (charge, 20), (credit, 15), (undoing, 12),
)  # fmt: skip
"""What a caller may do, and how often."""


def next_write(chooser: Chooser) -> Write:
    """Choose what to write next; first of all there must be something to change, to take back and to move."""
    (choose,) = chooser.random.choices(*zip(*CHOICES, strict=True))
    known = chooser.known
    if any(len(those) <= HOT for those in known.objects.values()):
        choose = composite
    if choose in {refund, reversal, dated_balance} and not known.payments:
        choose = payment
    if (choose is allocation and not known.unallocated) or (choose is move and not known.applications):
        choose = received
    if choose is undoing and not known.adjustments:
        choose = charge
    method, path, fields = choose(chooser)
    return Write(chooser.key, method, path, json.dumps(fields).encode())
