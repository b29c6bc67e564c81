"""Scenarios: the steps that a seed stands for."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from owed.simulation.steps import (
    HARMS,
    LONGEST,
    POISON,
    TENANTS,
    WORKERS,
    Again,
    Ask,
    Harm,
    Idle,
    Jump,
    Point,
    Restart,
    Step,
    Strike,
    Verb,
)

Json = dict[str, Any]

DAY = 24 * 3600

AFTER = (*[0.0] * 5, 0.0004, 0.001, 0.002, 0.005, 0.01, 0.3, 6.0)
"""Seconds between two steps: most happen while the ones before are still going on."""

LASTING = {Harm.CRASH: (0.0, 0.0, 0.1, 0.3, LONGEST), Harm.STALL: (0.004, 0.004, 0.1, 0.3, LONGEST)}
"""Seconds that harm lasts, where it lasts at all."""

CURRENCIES = ("ZAR",) * 11 + ("USD",)

EASY: Json = {"min_amount": 1, "max_amount": 1000, "underpayment_allowed": True, "overpayment_allowed": True}
"""Payment rules that let nearly every payment pass."""

CREDITED = ((Verb.CREDIT, "customer"), (Verb.CREDIT, "account"), (Verb.CREDIT, "bill"))

KINDS = ("customer", "account", "bill", "bill", "bill")


class Scenario:
    """A source of steps.

    Args:
        seed: What all of them follow from.
    """

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)
        self._asked: list[Ask] = []
        self._tenant = 1
        self._known: dict[tuple[int, str], list[str]] = defaultdict(list)
        self._rushing = 0
        self._rushed = 0

    def steps(self, count: int) -> list[Step]:
        """Give so many steps: at first there is something to pay, and then anything may happen."""
        first = list(self._beginning())
        return [*first, *(self._step() for _ in range(count - len(first)))][:count]

    def _beginning(self) -> Iterator[Step]:
        """Yield what makes something to pay, by test and by live keys, under the same references."""
        first: tuple[tuple[str, Json], ...] = (
            ("customer", {"external_reference": "c1", "currency": "ZAR", "balance": 5}),
            ("account", {"external_reference": "a1", "currency": "ZAR", "customer": "c1"}),
            ("bill", {"external_reference": "b1", "currency": "ZAR", "amount_due": 20, "customer": "c1"}),
        )
        for tenant in (1, 2):
            for kind, given in first:
                own, members = self._number, {**given, "payment_rules": EASY}
                self._known[tenant, kind].append(given["external_reference"])
                yield self._note(
                    Ask(number=own, tenant=tenant, verb=Verb.CREATE, kind=kind, members=members, key=own, after=0.1)
                )

    def _step(self) -> Step:
        if self._rushing:
            self._rushing -= 1
            return self._ask()
        kinds: dict[Callable[[], Step], int] = {
            self._ask: 60,
            self._rush: 3,
            self._again: 7,
            self._strike: 17,
            self._jump: 3,
            self._restart: 2,
            self._idle: 2,
        }
        (make,) = self._random.choices(list(kinds), list(kinds.values()))
        return make()

    @property
    def _number(self) -> int:
        return len(self._asked) + 1

    def _note(self, ask: Ask) -> Ask:
        self._asked.append(ask)
        return ask

    # What goes wrong

    def _strike(self) -> Step:
        point = self._random.choice(list(Point))
        harm = self._random.choice(HARMS[point])
        seconds = self._random.choice(LASTING.get(harm, (0.0,)))
        return Strike(worker=self._worker(), point=point, harm=harm, seconds=seconds, after=self._after())

    def _jump(self) -> Step:
        seconds = self._random.choice([-0.000001, -1.0, -3600.0, 0.5, 3600.0, DAY + 1.0, -DAY - 1.0])
        return Jump(seconds=seconds, worker=self._random.choice([None, self._worker()]), after=self._after())

    def _restart(self) -> Step:
        return Restart(worker=self._worker(), after=self._after())

    def _idle(self) -> Step:
        return Idle(after=self._random.choice([1.0, 30.0, DAY - 1.0, DAY + 1.0]))

    def _again(self) -> Step:
        return Again(of=self._random.choice(self._asked).number, worker=self._worker(), after=self._after())

    # What clients ask for

    def _rush(self) -> Step:
        """Begin a rush: many ask the same worker, all at the same moment."""
        self._rushing, self._rushed = self._random.randint(3, 12), self._worker()
        return self._ask()

    def _ask(self) -> Step:
        verbs: dict[Callable[[], Json], int] = {
            self._create: 18, self._update: 16, self._void: 2, self._pay: 44, self._take_back: 20,
            self._adjust: 14, self._undo: 4,
        }  # fmt: skip
        (ask,) = self._random.choices(list(verbs), list(verbs.values()))
        own = self._number
        self._tenant = self._random.choice([*[1] * 9, *[2] * 5, *TENANTS])
        return self._note(
            Ask(
                **ask(),
                number=own,
                tenant=self._tenant,
                key=self._random.choice([*[own] * 16, None, None, self._random.randint(1, own)]),
                worker=self._worker(),
                lost=self._random.choice([0, 0, 0, 0, 0, 0, 1, 1, 2]),
                patience=self._random.choice([30.0, 30.0, 30.0, 30.0, 30.0, 0.0025, 0.01, 1.0]),
                after=self._after(),
            )
        )

    def _create(self) -> Json:
        kind = self._random.choice(KINDS)
        return {"verb": Verb.CREATE, "kind": kind, "members": self._new(kind)}

    def _new(self, kind: str) -> Json:
        """Give the members of a new object, with a parent that may be new too."""
        reference = self._reference(kind)
        members: Json = {"external_reference": reference, **self._maybe(0.6, payment_rules=self._rules())}
        if kind == "bill":
            owner = self._random.choice(["customer", "account"])
            members |= {
                "currency": self._currency(),
                "amount_due": self._random.randint(1, 12),
                owner: self._parent(owner),
            }
        else:
            members |= {"customer": self._parent("customer")} if kind == "account" else {}
            members |= self._random.choice([{}, {"currency": self._currency()}, self._balance(), self._balance()])
        self._known[self._tenant, kind].append(reference)
        return members

    def _parent(self, kind: str) -> Any:
        return self._new(kind) if self._random.random() < 0.2 else self._name(kind)

    def _update(self) -> Json:
        kind = self._random.choice(KINDS)
        members = self._maybe(
            payment_rules=self._random.choice([self._rules(), self._rules(), self._rules(), None]),
            metadata=self._metadata(),
            currency=self._currency(),
        )
        if kind == "bill":
            members |= self._maybe(0.6, amount_paid=self._random.randint(0, 9))
        else:
            members |= self._random.choice([{}, self._balance()])
        return {"verb": Verb.UPDATE, "kind": kind, "name": self._name(kind), "members": members}

    def _void(self) -> Json:
        return {"verb": Verb.VOID, "kind": "bill", "name": self._name("bill")}

    def _pay(self) -> Json:
        count = self._random.choice([1, 1, 1, 1, 2, 3])
        wanted = dict.fromkeys((kind, self._name(kind)) for kind in self._random.choices(KINDS, k=count))
        members: Json = {
            "currency": self._currency(),
            "applications": [{kind: name, "amount": self._amount()} for kind, name in wanted],
            **self._maybe(external_reference=self._reference("payment"), channel=self._random.choice(["pos", "eft"])),
            **self._maybe(metadata=self._metadata()),
        }
        return {"verb": Verb.PAY, "kind": "payment", "members": members}

    def _take_back(self) -> Json:
        verb = self._random.choice([Verb.REFUND, Verb.REFUND, Verb.REVERSE])
        some: Json = {"applications": [{"place": 0, "amount": self._amount()}]}
        members: Json = dict(self._random.choice([{}, {"amount": self._amount()}, some]))
        members |= self._maybe(0.2, external_reference=self._reference("payment"))
        if verb is Verb.REVERSE:
            members["reason"] = self._random.choice(["dishonoured", "error"])
        return {"verb": verb, "kind": "payment", "name": self._payment(), "members": members}

    def _adjust(self) -> Json:
        """Charge or credit a balance, or take something off a bill."""
        verb, kind = self._random.choice([(Verb.CHARGE, "customer"), (Verb.CHARGE, "account"), *CREDITED])
        members: Json = {"amount": self._amount()}
        if verb is Verb.CHARGE:
            members |= self._maybe(0.5, floor=self._random.choice([-5, 0, 0, 2]))
        elif kind == "bill":
            members["type"] = self._random.choice(["credit_note", "discount", "write_off"])
        members |= self._maybe(currency=self._currency(), external_reference=self._reference("payment"))
        return {"verb": verb, "kind": kind, "name": self._name(kind), "members": members}

    def _undo(self) -> Json:
        """Reverse a charge or a credit that was asked for, perhaps one that was reversed already."""
        made = [ask for ask in self._asked if ask.verb in {Verb.CHARGE, Verb.CREDIT} and ask.tenant == self._tenant]
        if not made:
            return self._adjust()
        of = self._random.choice(made[-6:])
        return {"verb": Verb.UNDO, "kind": of.kind, "name": of.name, "members": {of.verb.value: f"#{of.number}"}}

    def _metadata(self) -> Json:
        return {"k": self._random.choice(["x", "y", "z", POISON])}

    def _rules(self) -> Json:
        """Give payment rules: easy ones, or of any kind, near the amounts that are paid."""
        if self._random.random() < 0.5:
            return EASY
        lowest = self._random.randint(1, 4)
        return {
            "min_amount": lowest,
            "max_amount": lowest + self._random.randint(0, 5),
            "underpayment_allowed": self._random.random() < 0.7,
            "overpayment_allowed": self._random.random() < 0.5,
        }

    # What they name

    def _name(self, kind: str) -> str:
        """Name an object that may be there: mostly by its reference, now and then by an id, whoever's that is."""
        known = self._known[self._tenant, kind]
        chance = self._random.random()
        if known and chance < 0.4:
            return known[0]  # so that many want the same
        if known and chance < 0.9:
            return self._random.choice(known)
        made = [ask.number for ask in self._asked if ask.kind == kind and ask.verb is Verb.CREATE]
        return f"#{self._random.choice(made)}" if made and chance < 0.97 else self._reference(kind)

    def _payment(self) -> str:
        """Name a payment: mostly a late one of the same tenant, by its id."""
        made = [ask for ask in self._asked if ask.verb is Verb.PAY]
        ours = [ask for ask in made if ask.tenant == self._tenant]
        chance = self._random.random()
        among = ours[-8:-2] or ours if chance < 0.85 else made if chance < 0.92 else []
        return f"#{self._random.choice(among).number}" if among else self._reference("payment")

    def _reference(self, kind: str) -> str:
        most = {"customer": 3, "account": 3, "bill": 6, "payment": 9}[kind]
        return f"{kind[0]}{self._random.randint(1, most)}"

    def _balance(self) -> Json:
        return {"currency": self._currency(), "balance": self._random.randint(-3, 9)}

    def _maybe(self, chance: float = 0.25, **members: Any) -> Json:
        return {name: value for name, value in members.items() if self._random.random() < chance}

    def _amount(self) -> int:
        return self._random.randint(1, 9)

    def _currency(self) -> str:
        return self._random.choice(CURRENCIES)

    def _worker(self) -> int:
        return self._rushed if self._rushing else self._random.randrange(WORKERS)

    def _after(self) -> float:
        return 0.0 if self._rushing else self._random.choice(AFTER)
