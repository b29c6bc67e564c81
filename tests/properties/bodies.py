"""What merchants may think of sending: mostly right, often against what stands, now and then plainly wrong."""

from typing import Any

from hypothesis import strategies as st

from owed.model.attribution import Actor
from owed.model.money import MAX_TOTAL
from tests.core.samples import JANE, KEY
from tests.properties.requests import (
    ADJUST,
    CREATE,
    ERASE,
    PAY,
    REALLOCATE,
    TAKE_BACK,
    UNDO,
    UPDATE,
    VOIDING,
    Fresh,
    Nth,
    Request,
)

Draw = st.DrawFn
Strategy = st.SearchStrategy[Any]
Json = dict[str, Any]
Members = dict[str, dict[str, Strategy]]

RULES = {"min_amount": 100, "max_amount": 5_000, "underpayment_allowed": False, "overpayment_allowed": True}
STRICT = RULES | {"overpayment_allowed": False}
BILL_RULES = {name: rule for name, rule in RULES.items() if name != "max_amount"}

WRONG: list[Json] = [
    {"external_reference": "bcus_x"}, {"external_reference": 7}, {"nickname": "Jo"}, {"id": "bill_0"}, {"name": 5},
    {"email": "nobody"}, {"phone": "0821234567"}, {"balance": 1.5}, {"balance": True}, {"currency": "zar"},
    {"currency": "XXQ"}, {"currency": None}, {"amount_due": 0}, {"amount_due": 10**8}, {"amount_due": "1000"},
    {"amount_paid": -1}, {"amount_paid": 10**8}, {"amount_remaining": 7}, {"status": "paid"}, {"customer_id": "bcus_0"},
    {"customer": "no name!"}, {"account": 5}, {"account": None}, {"due_date": "2025-02-30"}, {"bill_date": 20250230},
    {"metadata": {"": "x"}}, {"metadata": {"plan": 5}}, {"payment_rules": {"min_amount": 1}},
    {"payment_rules": RULES | {"max_amount": 99}},
]  # fmt: skip
"""Members that are wrong on most objects, each on its own."""

wrong = st.sampled_from([{}] * 10 * len(WRONG) + WRONG)

keys = st.sampled_from([*[None] * 12, *(f"k{number}" for number in range(12))])
actors = st.sampled_from([KEY, JANE, Actor("key_2", "Jürgen")])
conditions = st.sampled_from([*[None] * 6, frozenset("*"), frozenset("1"), frozenset("23"), frozenset("14")])
places = st.integers(0, 30)
hot_places = st.sampled_from([*[0] * 12, *[1] * 6, *range(2, 12)])

amounts = st.sampled_from([1, 100, 1_000, 1_000, 1_000, 99_999_999])
paid_amounts = st.sampled_from([0, 0, 0, 1, 99, 100, 1_000, 1_000, 1_001])
balances = st.integers(-3, 3) | st.integers(-MAX_TOTAL, MAX_TOTAL)
dates = st.sampled_from(["2026-03-03", "2026-03-04", "2024-02-29"])
metadata = st.dictionaries(st.sampled_from(["plan", "über", "a=b"]), st.sampled_from(["", "x", None]))
much_metadata = st.sampled_from([{f"{page}-{number}": "x" for number in range(9)} for page in range(3)])

plain = {
    "payment_rules": st.sampled_from([RULES, STRICT, None]),
    "metadata": metadata | much_metadata,
}
balanced = {
    "name": st.sampled_from(["John Doe", "Łukasz 李", 'O\'Neil \\ "x"', "😀", None]),
    "currency": st.sampled_from(["ZAR", "ZAR", "ZAR", "USD"]),
    "balance": balances,
    **plain,
}
personal = {
    "email": st.sampled_from(["j@example.com", "x@example.com", None]),
    "phone": st.sampled_from(["+27821234567", None]),
    **balanced,
}
due = {"due_date": dates | st.none(), **plain}

OPTIONAL: Members = {"customer": personal, "account": balanced, "bill": {"bill_date": dates, **due}}
"""What may be given of a new object."""

times = st.sampled_from(
    [
        "2020-01-01T00:00:00Z", "2026-03-04T05:06:07.890122Z", "2026-03-04T05:06:07.890123Z",
        "2026-03-04T05:06:07.890124Z", "2026-03-04T05:30:00Z", "2999-01-01T00:00:00Z",
    ]
)  # fmt: skip
"""Times before the histories begin, about then, within them, and to come."""

CHANGEABLE: Members = {
    "customer": {"balance_as_of": times, **personal},
    "account": {"balance_as_of": times, **balanced},
    "bill": {"currency": balanced["currency"], "amount_paid": paid_amounts, **due},
    "settings": {
        "time_zone": st.sampled_from(["UTC", "Africa/Johannesburg", "Pacific/Kiritimati", "Nowhere"]),
        "require_idempotency_key": st.booleans(),
        "payments_reduce_balance": st.booleans(),
        "duplicate_minutes": st.sampled_from([0, 10, 1440, 1441]),
        "payment_rules": st.fixed_dictionaries(
            {}, optional={"customer": st.just(STRICT), "account": st.just(RULES), "bill": st.just(BILL_RULES)}
        ),
    },
}
"""What may be given in a PATCH."""


@st.composite
def references(draw: Draw, kind: str) -> Fresh | Nth | str:
    """Draw references: free ones, perhaps contested, some that are taken, and for bills the id of another."""
    standing = Nth(kind, draw(places), "id" if kind == "bill" and draw(st.booleans()) else "external_reference")
    wanted: list[Fresh | Nth | str] = [*[Fresh()] * 6, *[Fresh(is_contested=True)] * 4, standing, "a"]
    return draw(st.sampled_from(wanted))


@st.composite
def names_of(draw: Draw, kind: str, places: st.SearchStrategy[int] = hot_places) -> Nth | str:
    """Draw what a request may call an object: its id or its reference, that of a stranger, or something wrong."""
    by = draw(st.sampled_from(["id"] * 5 + ["external_reference"] * 5 + ["stranger", "nothing"]))
    if by == "nothing":
        return draw(st.sampled_from(["nobody", "bcus_0", "bacc_0", "bill_0", "no name!"]))
    return Nth(kind, draw(places), by)


@st.composite
def new(draw: Draw, /, kind: str, **parents: Strategy) -> Json:
    """Draw what makes an object."""
    required = {"external_reference": references(kind), **parents}
    if kind == "bill":
        required |= {"currency": balanced["currency"], "amount_due": amounts}
    body: Json = draw(st.fixed_dictionaries(required, optional=OPTIONAL[kind]))
    return body | draw(wrong)


@st.composite
def parent(draw: Draw, /, kind: str, **parents: Strategy) -> Any:
    """Draw a name of a parent, or a new one inline."""
    return draw(draw(st.sampled_from([names_of(kind), new(kind, **parents)])))


LINEAGES: list[dict[str, Strategy]] = [
    {"customer": parent("customer")},
    {"account": parent("account", customer=parent("customer"))},
    {"account": new("account", customer=parent("customer"))},
    {"account": new("account"), "customer": parent("customer")},
]
"""Whose a bill may be."""

MUDDLED: list[dict[str, Strategy]] = [
    {},
    {"account": new("account")},
    {"account": names_of("account"), "customer": parent("customer")},
    {"account": new("account", customer=names_of("customer")), "customer": parent("customer")},
]
"""Whose it cannot be."""


@st.composite
def creations(draw: Draw, kind: str) -> Request:
    """Draw requests that create an object, and often others inline."""
    lineages: dict[str, list[dict[str, Strategy]]] = {
        "customer": [{}],
        "account": [{"customer": parent("customer")}],
        "bill": LINEAGES * 3 + MUDDLED,
    }
    body = draw(new(kind, **draw(st.sampled_from(lineages[kind]))))
    return Request(CREATE, kind, body, actor=draw(actors), key=draw(keys))


@st.composite
def updates(draw: Draw, kind: str) -> Request:
    """Draw PATCHes: plain, conditional, as a merge patch, or the object sent back whole."""
    body = draw(st.fixed_dictionaries({}, optional=CHANGEABLE[kind])) | draw(wrong)
    name = "settings" if kind == "settings" else draw(names_of(kind))
    form = {"is_merge": draw(st.sampled_from([False, True])), "is_whole": draw(st.sampled_from([False, True]))}
    return Request(UPDATE, kind, body, name, draw(conditions), **form, actor=draw(actors), key=draw(keys))


@st.composite
def corrections(draw: Draw) -> Request:
    """Draw requests that put right what is paid of a bill, or what is owed on a balance, and nothing else."""
    kind = draw(st.sampled_from(["bill", "bill", "bill", "account", "customer"]))
    owed = {"amount_paid": paid_amounts} if kind == "bill" else {"currency": st.just("ZAR"), "balance": balances}
    name = Nth(kind, draw(hot_places), "id")
    return Request(UPDATE, kind, draw(st.fixed_dictionaries(owed)), name, key=draw(keys))


@st.composite
def voidings(draw: Draw) -> Request:
    """Draw requests that void a bill."""
    body = draw(wrong | st.fixed_dictionaries({}, optional={"metadata": metadata}))
    name = draw(names_of("bill", places))  # what is hot must live on
    return Request(VOIDING, "bill", body, name, draw(conditions), actor=draw(actors), key=draw(keys))


references_of_payments = st.sampled_from([None, None, None, "p0", "p1"])
channels = st.sampled_from([None, "web", "shop"])
paid_sums = st.sampled_from([1, 99, 100, 100, 500, 1_000, 1_000, 1_001, 5_000])
optional_of_payments: dict[str, Strategy] = {
    "external_reference": references_of_payments,
    "channel": channels,
    "method": st.just("eft"),
    "paid_at": st.sampled_from(["2025-12-31T23:59:59.999999Z", "2026-03-03T08:00:00Z", "2999-01-01T00:00:00Z"]),
    "metadata": metadata,
}


@st.composite
def targets(draw: Draw) -> Json:
    """Draw what money goes to."""
    kind = draw(st.sampled_from(["bill", "bill", "account", "customer"]))
    return {kind: draw(names_of(kind))}


@st.composite
def payments(draw: Draw) -> Request:
    """Draw payments, to one obligation or to several."""
    amount = draw(paid_sums)
    body = {"amount": amount, "currency": draw(balanced["currency"]), **draw(targets())}
    if draw(st.sampled_from([False, False, True])):
        parts = [draw(targets()) | {"amount": draw(paid_sums)} for _ in range(draw(st.integers(1, 3)))]
        body = {"amount": sum(part["amount"] for part in parts), "currency": "ZAR", "applications": parts}
    if draw(st.sampled_from([False, False, True])):
        body |= {"received": True, "amount": body["amount"] + draw(st.sampled_from([0, 0, 200]))}
    further = draw(st.fixed_dictionaries({}, optional=optional_of_payments))
    return Request(PAY, "payment", body | further | draw(wrong), actor=draw(actors), key=draw(keys))


@st.composite
def returns(draw: Draw) -> Request:
    """Draw refunds and reversals, in part and in full."""
    kind, number = draw(st.sampled_from(["refund", "reversal"])), draw(hot_places)
    body: Json = {} if kind == "refund" else {"reason": draw(st.sampled_from(["chargeback", "error"]))}
    if draw(st.sampled_from([False, False, True])):
        body["amount"] = draw(paid_sums)
    elif draw(st.sampled_from([False, False, True])):
        body["applications"] = [{"id": Nth("payment", number, "application"), "amount": draw(paid_sums)}]
    name = draw(st.sampled_from([*[Nth("payment", number, "id")] * 6, "p0", ":p0", "web:p1", "nobody"]))
    further = draw(st.fixed_dictionaries({}, optional={"external_reference": references_of_payments}))
    return Request(TAKE_BACK, kind, body | further, name, draw(conditions), actor=draw(actors), key=draw(keys))


@st.composite
def reallocations(draw: Draw) -> Request:
    """Draw allocations of unallocated money, and moves of money that is applied, in part and in full."""
    kind, number = draw(st.sampled_from(["allocation", "move"])), draw(hot_places)
    body: Json = {} if draw(st.booleans()) else {"amount": draw(paid_sums)}
    if kind == "allocation" or draw(st.booleans()):
        body |= draw(targets())
    if kind == "move" and draw(st.booleans()):
        body["application"] = Nth("payment", number, "application")
    name = draw(st.sampled_from([*[Nth("payment", number, "id")] * 6, "p0", "web:p1", "nobody"]))
    further = draw(st.fixed_dictionaries({}, optional={"external_reference": references_of_payments}))
    return Request(REALLOCATE, kind, body | further, name, draw(conditions), actor=draw(actors), key=draw(keys))


optional_of_adjustments: dict[str, Strategy] = {
    "currency": balanced["currency"],
    "external_reference": references_of_payments,
    "reason": st.just("0.8 kWh"),
    "occurred_at": optional_of_payments["paid_at"],
    "metadata": metadata,
}
floors = st.sampled_from([-1_000, 0, 0, 1])


@st.composite
def adjustments(draw: Draw) -> Request:
    """Draw charges and credits, on balances and on bills."""
    kind = draw(st.sampled_from(["charge", "charge", "credit"]))
    on = draw(st.sampled_from(["customer", "account"] + ["bill"] * 2 * (kind == "credit")))
    body = {"amount": draw(paid_sums)} | draw(st.fixed_dictionaries({}, optional=optional_of_adjustments))
    if kind == "charge" and draw(st.booleans()):
        body["floor"] = draw(floors)
    if on == "bill":
        body["type"] = draw(st.sampled_from(["credit_note", "discount", "write_off"]))
    name = [on, draw(names_of(on))]
    return Request(ADJUST, kind, body | draw(wrong), name, draw(conditions), actor=draw(actors), key=draw(keys))


@st.composite
def undoings(draw: Draw) -> Request:
    """Draw reversals of charges and credits, some of them a second time, or on something else."""
    kind, number = draw(st.sampled_from(["charge", "credit"])), draw(hot_places)
    on = draw(st.sampled_from([*[Nth(kind, number, "object_id")] * 9, Nth("account", 0, "id")]))
    name = [on, draw(st.sampled_from([*[Nth(kind, number, "id")] * 6, "p0", "nobody"]))]
    return Request(UNDO, kind, {}, name, draw(conditions), actor=draw(actors), key=draw(keys))


@st.composite
def erasures(draw: Draw) -> Request:
    """Draw erasures of a customer, and of accounts, whoever's they are: the API looks up the ids of its own."""
    accounts = [Nth("account", number, "id") for number in draw(st.lists(places, max_size=2))]
    name = Nth("customer", draw(places), draw(st.sampled_from(["id", "id", "id", "stranger"])))
    return Request(
        ERASE, "customer", {"accounts": accounts}, name, draw(conditions), actor=draw(actors), key=draw(keys)
    )


MAKES = [creations(kind) for kind in ("customer", "account", "bill", "bill", "bill")]
CHANGES = [updates(kind) for kind in ("customer", "account", "bill", "bill", "settings")]
ANY = [*MAKES, *CHANGES, corrections(), corrections(), voidings(), erasures(), *[payments()] * 4, *[returns()] * 2]
ANY += [*[adjustments()] * 3, undoings(), *[reallocations()] * 2]


@st.composite
def crowds(draw: Draw, most: int) -> list[Request]:
    """Draw requests of every kind for the same moment."""
    return [draw(draw(st.sampled_from(ANY))) for _ in range(draw(st.integers(2, most)))]


@st.composite
def contests(draw: Draw) -> list[Request]:
    """Draw requests for the same moment that are likely to want the same."""
    changes = [corrections(), updates("bill"), updates("settings"), payments(), returns(), adjustments(), undoings()]
    changes.append(reallocations())
    kind = draw(st.sampled_from([*changes * 2, erasures(), *MAKES[:3]]))
    return [draw(kind) for _ in range(draw(st.integers(2, 4)))]
