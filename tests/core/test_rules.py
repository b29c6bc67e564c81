"""The payment rules: every payment of every obligation, against the sentences of the contract (section 5)."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owed.core.rules import Explanation, Payable, Range, Rule, explain, payable_of
from owed.model.account import Account
from owed.model.bill import MAX_AMOUNT, Bill
from owed.model.billing_object import BillingObject
from owed.model.customer import Customer
from owed.model.money import MAX_TOTAL
from owed.model.obligation import Obligation
from owed.model.payment import MAX_PAYMENT
from owed.model.payment_rules import MAX_RULE_AMOUNT, PaymentRules
from tests.core.samples import DEFAULT_RULES, NOW

BASICS: dict[str, Any] = {
    "tenant_id": 1, "id": "x_1", "external_reference": "X1", "created_at": NOW, "updated_at": NOW,
}  # fmt: skip
ANY_AMOUNT = PaymentRules(1, MAX_RULE_AMOUNT, underpayment_allowed=True, overpayment_allowed=True)


def a_bill(due: int, paid: int = 0, **given: Any) -> Bill:
    given = {"currency": "ZAR", "payment_rules": ANY_AMOUNT, "is_voided": False, **given}
    total = 0 if given["is_voided"] else due - paid
    obligation = Obligation(given.pop("currency"), total, tracked=True)
    whose: dict[str, Any] = {"customer_id": "bcus_1", "bill_date": NOW.date(), "obligation": obligation}
    return Bill(**BASICS, **whose, **given, amount_due=due, amount_paid=paid)


def a_customer(total: int, *, tracked: bool = True, currency: str | None = "ZAR", **given: Any) -> Customer:
    given = {"payment_rules": ANY_AMOUNT, **given}
    return Customer(**BASICS, **given, obligation=Obligation(currency, total, tracked))


def an_account(total: int, *, tracked: bool = True, currency: str | None = "ZAR", **given: Any) -> Account:
    given = {"payment_rules": ANY_AMOUNT, **given}
    return Account(**BASICS, **given, customer_id="bcus_1", obligation=Obligation(currency, total, tracked))


# The contract, sentence by sentence


@dataclass(frozen=True)
class Facts:
    """What the contract's sentences speak of, of one obligation.

    Attributes:
        owed: None where no balance is tracked.
        full: The most that may still come in before `amount_paid` or the balance is past what it may be.
    """

    owed: int | None
    full: int
    currency: str | None = "ZAR"
    is_voided: bool = False


def refusing(facts: Facts, rules: PaymentRules | None, amount: int, currency: str) -> list[str]:
    """List, in the contract's order, the sentences that a payment does not keep to.

    Where there are no rules, none of them says anything of the amount.
    """
    there_are_rules = rules is not None
    the_bill_is_not_voided = not facts.is_voided
    it_is_the_obligations = facts.currency is not None and facts.currency == currency
    kept = {"not_payable": there_are_rules, "voided": the_bill_is_not_voided, "currency": it_is_the_obligations}
    if rules is not None:
        equals_what_is_owed = facts.owed is not None and amount == facts.owed
        kept["min_amount"] = amount >= rules.min_amount or equals_what_is_owed
        kept["max_amount"] = amount <= rules.max_amount and amount <= facts.full
        is_no_more = facts.owed is None or amount <= facts.owed
        kept["overpayment_allowed"] = is_no_more or rules.overpayment_allowed
        is_no_less = facts.owed is None or amount >= facts.owed
        kept["underpayment_allowed"] = is_no_less or rules.underpayment_allowed
    return [sentence for sentence, is_kept in kept.items() if not is_kept]


# Every payment of every obligation, with numbers so small that all amounts can be tried

AMOUNTS = range(1, 10)
BOUNDS = range(1, 8)  # of rules: a payment can be beyond the largest, too
FAR = MAX_AMOUNT - 100  # further than any of the amounts goes

OBLIGATIONS: dict[str, tuple[BillingObject, Facts]] = {
    "a new bill": (a_bill(5), Facts(5, FAR)),
    "a bill of one cent": (a_bill(1), Facts(1, FAR)),
    "a bill that is part paid": (a_bill(9, paid=5), Facts(4, FAR)),
    "a bill that is paid": (a_bill(5, paid=5), Facts(0, FAR)),
    "a bill that is overpaid": (a_bill(5, paid=7), Facts(0, FAR)),
    "a voided bill": (a_bill(5, is_voided=True), Facts(5, FAR, is_voided=True)),
    "a bill in another currency": (a_bill(5, currency="USD"), Facts(5, FAR, "USD")),
    "a bill of the largest amount, all but paid": (a_bill(MAX_AMOUNT, paid=MAX_AMOUNT - 3), Facts(3, 3)),
    "an overpaid bill that takes 3 more": (a_bill(5, paid=MAX_AMOUNT - 3), Facts(0, 3)),
    "an overpaid bill that takes nothing more": (a_bill(5, paid=MAX_AMOUNT), Facts(0, 0)),
    "a balance that is owed": (a_customer(5), Facts(5, FAR)),
    "a balance of one cent": (an_account(1), Facts(1, FAR)),
    "a balance of zero": (an_account(0), Facts(0, FAR)),
    "a credit": (a_customer(-5), Facts(0, FAR)),
    "a credit that takes 3 more": (an_account(3 - MAX_TOTAL), Facts(0, 3)),
    "a credit that takes nothing more": (a_customer(-MAX_TOTAL), Facts(0, 0)),
    "the largest debt": (a_customer(MAX_TOTAL), Facts(MAX_TOTAL, FAR)),
    "a balance in another currency": (an_account(5, currency="USD"), Facts(5, FAR, "USD")),
    "an untracked balance": (a_customer(0, tracked=False), Facts(None, FAR)),
    "an untracked balance whose total is above zero": (an_account(5, tracked=False), Facts(None, FAR)),
    "an untracked balance whose total is below zero": (a_customer(-5, tracked=False), Facts(None, FAR)),
    "an untracked balance that takes 3 more": (an_account(3 - MAX_TOTAL, tracked=False), Facts(None, 3)),
    "an object without a currency": (a_customer(0, tracked=False, currency=None), Facts(None, FAR, None)),
}

EVERY_RULES = [
    None,
    *(
        PaymentRules(least, most, underpayment_allowed=under, overpayment_allowed=over)
        for least, most in combinations_with_replacement(BOUNDS, 2)
        for under, over in product([True, False], repeat=2)
    ),
]


def with_rules(name: str) -> Iterator[tuple[Payable, Facts, PaymentRules | None]]:
    """Yield an obligation of the table under all rules that there can be."""
    item, facts = OBLIGATIONS[name]
    for rules in EVERY_RULES:
        yield payable_of(msgspec.structs.replace(item, payment_rules=rules)), facts, rules


def passing(explanation: Explanation) -> list[int]:
    """List every amount that an explanation says would pass."""
    within, lone = explanation.would_pass, explanation.settles
    return sorted([*(range(within.min, within.max + 1) if within else ()), *([] if lone is None else [lone])])


def as_the_rules_see(facts: Facts, rules: PaymentRules | None) -> Payable:
    return Payable(rules, facts.is_voided, facts.currency, facts.owed or 0, facts.owed is not None, facts.full)


@pytest.mark.parametrize("currency", ["ZAR", "EUR"])
@pytest.mark.parametrize("name", OBLIGATIONS)
def test_a_payment_is_refused_by_every_rule_that_it_does_not_keep_to_and_by_no_other(name: str, currency: str) -> None:
    for (standing, facts, rules), amount in product(with_rules(name), AMOUNTS):
        explanation = explain(standing, amount, currency)

        expected = refusing(facts, rules, amount, currency)
        assert (rules, amount, list(explanation.rules)) == (rules, amount, expected)
        assert explanation.allowed == (not expected)


@pytest.mark.parametrize("currency", ["ZAR", "EUR"])
@pytest.mark.parametrize("name", OBLIGATIONS)
def test_what_would_pass_and_what_settles_are_all_amounts_that_pass_each_of_them_once(name: str, currency: str) -> None:
    for standing, facts, rules in with_rules(name):
        tried = [amount for amount in AMOUNTS if not refusing(facts, rules, amount, currency)]

        explanations = [explain(standing, amount, currency) for amount in AMOUNTS]
        assert [(rules, passing(explanation)) for explanation in explanations] == [(rules, tried)] * len(AMOUNTS)
        assert {explanation.settles for explanation in explanations} <= {None, facts.owed}


@pytest.mark.parametrize("full", [-1, 0, 1, 3, 4, 5])
@pytest.mark.parametrize("owed", [None, 0, 1, 4])
def test_all_that_passes_is_told_however_little_fits(owed: int | None, full: int) -> None:
    """Less than is owed, too, though no object that there is comes to that."""
    facts = Facts(owed, full)

    for rules in EVERY_RULES:
        tried = [amount for amount in AMOUNTS if not refusing(facts, rules, amount, "ZAR")]
        explanation = explain(as_the_rules_see(facts, rules), 1, "ZAR")
        assert (rules, passing(explanation)) == (rules, tried)


def test_the_table_refuses_by_every_rule_and_lets_pass_in_every_way() -> None:
    """Or it would say less than it seems to."""
    explanations = [
        explain(standing, amount, "ZAR") for name in OBLIGATIONS for standing, _, _ in with_rules(name)
        for amount in AMOUNTS
    ]  # fmt: skip

    assert {rule for explanation in explanations for rule in explanation.rules} == {*Rule}
    ways = {
        (explanation.allowed, explanation.would_pass is not None, explanation.settles is not None)
        for explanation in explanations
    }
    assert ways == {*product([True, False], repeat=3)} - {(True, False, False)}


# What a merchant asks


def strict(least: int, most: int = MAX_RULE_AMOUNT) -> PaymentRules:
    return PaymentRules(least, most, underpayment_allowed=False, overpayment_allowed=False)


def lenient(least: int, most: int = MAX_RULE_AMOUNT) -> PaymentRules:
    return PaymentRules(least, most, underpayment_allowed=True, overpayment_allowed=True)


def no_credit(least: int, most: int = MAX_RULE_AMOUNT) -> PaymentRules:
    return PaymentRules(least, most, underpayment_allowed=True, overpayment_allowed=False)


def asked(item: BillingObject, amount: int) -> tuple[list[str], tuple[int, int] | None, int | None]:
    """Give what refuses an amount, which range would pass, and what settles."""
    explanation = explain(payable_of(item), amount, "ZAR")
    within = explanation.would_pass
    bounds = None if within is None else (within.min, within.max)
    return [rule.value for rule in explanation.rules], bounds, explanation.settles


@pytest.mark.parametrize(
    ("owed", "amount", "expected"),
    [
        (50, 50, ([], None, 50)),  # settles, though below the minimum
        (50, 49, (["min_amount"], None, 50)),
        (50, 51, (["min_amount", "overpayment_allowed"], None, 50)),
        (50, 100, (["overpayment_allowed"], None, 50)),
        (99, 99, ([], None, 99)),
        (100, 100, ([], (100, 100), None)),
        (100, 99, (["min_amount"], (100, 100), None)),
        (500, 99, (["min_amount"], (100, 500), None)),
        (500, 100, ([], (100, 500), None)),
        (500, 500, ([], (100, 500), None)),
        (500, 501, (["overpayment_allowed"], (100, 500), None)),
    ],
)
def test_the_last_cents_of_a_debt_can_always_be_paid_but_it_cannot_be_nibbled_at(
    owed: int, amount: int, expected: tuple[Any, ...]
) -> None:
    assert asked(a_bill(owed + 1000, paid=1000, payment_rules=no_credit(100)), amount) == expected
    assert asked(a_customer(owed, payment_rules=no_credit(100)), amount) == expected


def test_the_last_cents_settle_beside_a_range_that_overpays() -> None:
    item = a_bill(1050, paid=1000, payment_rules=lenient(100, 500))

    assert asked(item, 50) == ([], (100, 500), 50)
    assert asked(item, 75) == (["min_amount"], (100, 500), 50)


def test_a_debt_that_must_be_paid_at_once_takes_one_amount() -> None:
    item = a_customer(500, payment_rules=strict(100))

    assert [asked(item, amount) for amount in (499, 500, 501)] == [
        (["underpayment_allowed"], (500, 500), None),
        ([], (500, 500), None),
        (["overpayment_allowed"], (500, 500), None),
    ]


def test_a_debt_above_the_maximum_that_must_be_paid_at_once_cannot_be_paid() -> None:
    item = a_bill(500, payment_rules=strict(1, 400))

    assert asked(item, 400) == (["underpayment_allowed"], None, None)
    assert asked(item, 500) == (["max_amount"], None, None)


@pytest.mark.parametrize("total", [0, -1, -500])
def test_a_prepaid_account_takes_any_amount_where_it_may_be_overpaid(total: int) -> None:
    item = an_account(total, payment_rules=lenient(100, 5000))

    assert [asked(item, amount)[0] for amount in (99, 100, 5000, 5001)] == [["min_amount"], [], [], ["max_amount"]]
    assert asked(item, 100)[1:] == ((100, 5000), None)


@pytest.mark.parametrize("total", [0, -1, -500])
def test_an_account_that_owes_nothing_takes_nothing_under_the_rules_of_a_new_merchant(total: int) -> None:
    item = an_account(total, payment_rules=DEFAULT_RULES.account)

    assert asked(item, 100) == (["overpayment_allowed"], None, None)


@pytest.mark.parametrize("total", [0, 700, -700])
def test_where_no_balance_is_tracked_only_the_bounds_of_the_rules_count(total: int) -> None:
    item = a_customer(total, tracked=False, payment_rules=strict(100, 1000))

    refused = [asked(item, amount)[0] for amount in (99, 100, 700, 1000, 1001)]
    assert refused == [["min_amount"], [], [], [], ["max_amount"]]
    assert asked(item, 1)[1:] == ((100, 1000), None)


@pytest.mark.parametrize("paid", [1000, 1001])
def test_a_paid_bill_takes_nothing_more_unless_it_may_be_overpaid(paid: int) -> None:
    assert asked(a_bill(1000, paid, payment_rules=no_credit(1)), 1) == (["overpayment_allowed"], None, None)
    assert asked(a_bill(1000, paid, payment_rules=lenient(1, 10)), 1) == ([], (1, 10), None)


@pytest.mark.parametrize("item", [a_bill(1000), a_customer(1000), an_account(1000)])
def test_an_overpayment_that_is_allowed_becomes_credit(item: BillingObject) -> None:
    rules = PaymentRules(1, 5000, underpayment_allowed=False, overpayment_allowed=True)
    allowing = msgspec.structs.replace(item, payment_rules=rules)

    assert asked(allowing, 999) == (["underpayment_allowed"], (1000, 5000), None)
    assert asked(allowing, 5000) == ([], (1000, 5000), None)


@pytest.mark.parametrize(
    ("due", "paid", "amount", "expected"),
    [
        (1, MAX_AMOUNT, 1, (["max_amount"], None, None)),
        (1, MAX_AMOUNT - 1, 1, ([], (1, 1), None)),
        (1, MAX_AMOUNT - 1, 2, (["max_amount"], (1, 1), None)),
        (1, 0, MAX_AMOUNT, ([], (1, MAX_AMOUNT), None)),
        (MAX_AMOUNT, 0, MAX_AMOUNT, ([], (1, MAX_AMOUNT), None)),
        (MAX_AMOUNT, 0, MAX_AMOUNT + 1, (["max_amount"], (1, MAX_AMOUNT), None)),
        (MAX_AMOUNT, 1, MAX_AMOUNT, (["max_amount"], (1, MAX_AMOUNT - 1), None)),
        (MAX_AMOUNT, MAX_AMOUNT, 1, (["max_amount"], None, None)),
    ],
)
def test_amount_paid_goes_to_the_largest_amount_of_a_bill_and_no_further(
    due: int, paid: int, amount: int, expected: tuple[Any, ...]
) -> None:
    assert asked(a_bill(due, paid), amount) == expected


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize(
    ("total", "most"),
    [
        (-MAX_TOTAL, None),
        (1 - MAX_TOTAL, 1),
        (MAX_RULE_AMOUNT - 1 - MAX_TOTAL, MAX_RULE_AMOUNT - 1),
        (MAX_RULE_AMOUNT - MAX_TOTAL, MAX_RULE_AMOUNT),
        (0, MAX_RULE_AMOUNT),
        (MAX_TOTAL, MAX_RULE_AMOUNT),
    ],
)
def test_a_balance_goes_to_the_largest_credit_and_no_further(total: int, most: int | None, *, tracked: bool) -> None:
    within = None if most is None else (1, most)

    for item in (a_customer(total, tracked=tracked), an_account(total, tracked=tracked)):
        assert asked(item, most or 1) == ([] if most else ["max_amount"], within, None)
        assert asked(item, (most or 0) + 1) == (["max_amount"], within, None)


def test_the_last_cents_settle_where_the_largest_payment_would_not_fit() -> None:
    """Room bounds what settles as well as what would pass."""
    item = a_bill(MAX_AMOUNT, paid=MAX_AMOUNT - 5, payment_rules=lenient(10))

    assert asked(item, 5) == ([], None, 5)
    assert asked(item, 6) == (["min_amount", "max_amount"], None, 5)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"payment_rules": None}, ["not_payable"]),
        ({"payment_rules": None, "currency": "USD"}, ["not_payable", "currency"]),
        ({"payment_rules": None, "is_voided": True}, ["not_payable", "voided"]),
        ({"is_voided": True}, ["voided"]),
        ({"is_voided": True, "currency": "USD"}, ["voided", "currency"]),
        ({"currency": "USD"}, ["currency"]),
    ],
)
def test_where_no_amount_would_do_none_is_offered(given: dict[str, Any], expected: list[str]) -> None:
    for amount in (1, 1000):
        assert asked(a_bill(1000, **given), amount) == (expected, None, None)


def test_an_object_without_a_currency_is_refused_as_one_of_another() -> None:
    assert asked(a_customer(0, tracked=False, currency=None), 1) == (["currency"], None, None)


def test_the_amount_of_a_payment_in_another_currency_is_judged_all_the_same() -> None:
    """Every rule that refuses is named, so that whoever pays need not find them one by one."""
    item = a_bill(1000, currency="USD", payment_rules=strict(100, 500))

    assert asked(item, 99)[0] == ["currency", "min_amount", "underpayment_allowed"]
    assert asked(item, 1001)[0] == ["currency", "max_amount", "overpayment_allowed"]


# What the rules look at of each noun


RULES = strict(100, 5000)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (a_bill(9, 5), Payable(RULES, False, "ZAR", 4, True, MAX_AMOUNT - 5)),
        (a_bill(9, 9), Payable(RULES, False, "ZAR", 0, True, MAX_AMOUNT - 9)),
        (a_bill(9, 12), Payable(RULES, False, "ZAR", 0, True, MAX_AMOUNT - 12)),
        (a_bill(9, is_voided=True), Payable(RULES, True, "ZAR", 9, True, MAX_AMOUNT)),
        (a_bill(MAX_AMOUNT, MAX_AMOUNT, currency="USD"), Payable(RULES, False, "USD", 0, True, 0)),
        (a_customer(9), Payable(RULES, False, "ZAR", 9, True, MAX_TOTAL + 9)),
        (an_account(9, currency="USD"), Payable(RULES, False, "USD", 9, True, MAX_TOTAL + 9)),
        (an_account(0), Payable(RULES, False, "ZAR", 0, True, MAX_TOTAL)),
        (a_customer(-9), Payable(RULES, False, "ZAR", 0, True, MAX_TOTAL - 9)),
        (an_account(-MAX_TOTAL), Payable(RULES, False, "ZAR", 0, True, 0)),
        (a_customer(9, tracked=False), Payable(RULES, False, "ZAR", 0, False, MAX_TOTAL + 9)),
        (an_account(-9, tracked=False), Payable(RULES, False, "ZAR", 0, False, MAX_TOTAL - 9)),
        (a_customer(0, tracked=False, currency=None), Payable(RULES, False, None, 0, False, MAX_TOTAL)),
    ],
)
def test_of_each_object_the_rules_see_what_is_owed_and_how_much_it_takes(
    item: BillingObject, expected: Payable
) -> None:
    assert payable_of(msgspec.structs.replace(item, payment_rules=RULES)) == expected
    assert payable_of(msgspec.structs.replace(item, payment_rules=None)) == expected._replace(rules=None)


# Numbers of any size


@st.composite
def payments(draw: st.DrawFn) -> tuple[Facts, PaymentRules | None, int, str]:
    """Draw a payment of any amount to any obligation, more often than not next to some boundary."""
    least, most = sorted(draw(st.lists(st.integers(1, MAX_RULE_AMOUNT), min_size=2, max_size=2)))
    near_bounds = st.sampled_from([least - 1, least, least + 1, most - 1, most, most + 1, 0]).map(lambda at: max(0, at))
    facts = draw(
        st.builds(
            Facts,
            owed=st.none() | near_bounds | st.integers(0, MAX_TOTAL),
            full=near_bounds | st.just(MAX_TOTAL) | st.integers(0, 2 * MAX_TOTAL),
            currency=st.sampled_from(["ZAR", "ZAR", "ZAR", "ZAR", "USD", None]),
            is_voided=st.sampled_from([False, False, False, True]),
        )
    )
    allowed = st.booleans()
    rules = draw(st.builds(PaymentRules, st.just(least), st.just(most), allowed, allowed))
    beside = st.sampled_from([facts.owed or 0, facts.full]).flatmap(lambda at: st.integers(at - 1, at + 1))
    amount = draw((near_bounds | beside | st.integers(1, MAX_PAYMENT)).map(lambda at: min(max(1, at), MAX_PAYMENT)))
    return facts, draw(st.sampled_from([rules, rules, rules, None])), amount, "ZAR"


def at_the_edges(within: Range) -> tuple[list[int], list[int]]:
    """Give the amounts on either side of the edges of a range: those within, and those outside."""
    return [within.min, within.max], [amount for amount in (within.min - 1, within.max + 1) if amount]


@given(payments())
def test_large_numbers_are_refused_by_the_same_sentences(drawn: tuple[Facts, PaymentRules | None, int, str]) -> None:
    facts, rules, amount, currency = drawn
    explanation = explain(as_the_rules_see(facts, rules), amount, currency)

    assert list(explanation.rules) == refusing(facts, rules, amount, currency)


@given(payments())
def test_what_is_said_to_pass_does_and_what_is_next_to_it_does_not(
    drawn: tuple[Facts, PaymentRules | None, int, str],
) -> None:
    facts, rules, amount, currency = drawn
    explanation = explain(as_the_rules_see(facts, rules), amount, currency)
    within, lone = explanation.would_pass, explanation.settles

    inside, outside = at_the_edges(within) if within else ([], [])
    inside += [lone] if lone else []
    outside += [lone - 1, lone + 1] if lone else []
    assert not any(refusing(facts, rules, passes, currency) for passes in inside)
    beyond = [other for other in outside if other >= 1 and other != lone and not (within and other in within)]
    assert all(refusing(facts, rules, other, currency) for other in beyond)
    assert explanation.allowed == (amount == lone or (within is not None and amount in within))
