"""5, as a member: what rules may be, and which a new customer, account or bill gets."""

import json

import pytest

from tests.contract.client import Answer, Client
from tests.contract.samples import EVERY_NOUN, RULES, Noun, at

LARGEST_AMOUNT = 999_999_999_999


def refused(answer: Answer, *pointers: str) -> None:
    assert (answer.status, answer.code) == (400, "invalid_request"), answer.body
    assert answer.pointers == list(pointers), answer.body


@EVERY_NOUN
def test_a_new_object_gets_the_default_rules(client: Client, live: Client, noun: Noun) -> None:
    """5: a new merchant starts with 1, 99,999,999, true, false; a new object gets them unless it gives its own."""
    assert noun.make(client)["payment_rules"] == noun.rules
    assert noun.make(live)["payment_rules"] == noun.rules


@EVERY_NOUN
@pytest.mark.parametrize(
    "rules",
    [
        RULES,
        RULES | {"min_amount": 1, "max_amount": 1},
        RULES | {"min_amount": LARGEST_AMOUNT, "max_amount": LARGEST_AMOUNT},
        RULES | {"underpayment_allowed": False, "overpayment_allowed": True},
    ],
)
def test_an_object_may_have_rules_of_its_own(client: Client, noun: Noun, rules: dict[str, object]) -> None:
    """5: `1 ≤ min_amount ≤ max_amount ≤ 999,999,999,999`."""
    assert noun.make(client, payment_rules=rules)["payment_rules"] == rules
    assert client.patch(at(noun.make(client)), {"payment_rules": rules}).json()["payment_rules"] == rules


@EVERY_NOUN
@pytest.mark.parametrize("member", sorted(RULES))
def test_all_four_rules_are_required_together(client: Client, noun: Noun, member: str) -> None:
    """5: all four members are required together, on create and on PATCH, in either media type."""
    rules = {name: value for name, value in RULES.items() if name != member}
    thing = noun.make(client)
    refused(noun.create(client, payment_rules=rules), f"/payment_rules/{member}")
    refused(client.patch(at(thing), {"payment_rules": rules}), f"/payment_rules/{member}")
    refused(client.merge(at(thing), {"payment_rules": rules}), f"/payment_rules/{member}")


@EVERY_NOUN
def test_each_missing_rule_is_named(client: Client, noun: Noun) -> None:
    answer = noun.create(client, payment_rules={})
    assert set(answer.pointers) == {f"/payment_rules/{member}" for member in RULES}


@EVERY_NOUN
@pytest.mark.parametrize(
    ("member", "text"),
    [
        *(
            ("min_amount", text)
            for text in ("0", "-1", "1000000000000", "1" * 40, "1.0", "1e2", '"1"', "true", "[]", "{}")
        ),
        *(
            ("max_amount", text)
            for text in ("0", "-1", "1000000000000", "1" * 40, "1000000.0", "1e6", '"1"', "true", "[]", "{}")
        ),
        *(("underpayment_allowed", text) for text in ("0", "1", '"true"', "[]", "{}", "1.0")),
        *(("overpayment_allowed", text) for text in ("0", "1", '"false"', "[]", "{}", "1.0")),
    ],
)
def test_a_rule_out_of_bounds_is_refused(client: Client, noun: Noun, member: str, text: str) -> None:
    """5: bounds and types of each of the four; money is never a float, a string or a boolean (1.1)."""
    rules = json.dumps(RULES).replace(f'"{member}": {json.dumps(RULES[member])}', f'"{member}": {text}')
    body = f'{json.dumps(noun.request(client))[:-1]}, "payment_rules": {rules}}}'.encode()
    for answer in (
        client.post(noun.path, body),
        client.patch(at(noun.make(client)), f'{{"payment_rules": {rules}}}'.encode()),
    ):
        assert (answer.status, answer.code) == (400, "invalid_request")
        assert f"/payment_rules/{member}" in answer.pointers


@EVERY_NOUN
def test_the_minimum_may_not_exceed_the_maximum(client: Client, noun: Noun) -> None:
    answer = noun.create(client, payment_rules=RULES | {"min_amount": 101, "max_amount": 100})
    assert answer.status == 400
    assert answer.pointers
    assert set(answer.pointers) <= {"/payment_rules", "/payment_rules/min_amount", "/payment_rules/max_amount"}


@EVERY_NOUN
@pytest.mark.parametrize("rules", [5, "rules", True, [], [RULES], 1.5])
def test_rules_are_an_object(client: Client, noun: Noun, rules: object) -> None:
    refused(noun.create(client, payment_rules=rules), "/payment_rules")
    refused(client.patch(at(noun.make(client)), {"payment_rules": rules}), "/payment_rules")


@EVERY_NOUN
def test_rules_are_replaced_whole(client: Client, noun: Noun) -> None:
    """1.1: `payment_rules` is replaced whole in either media type."""
    path = at(noun.make(client))
    first, second = RULES | {"min_amount": 5}, RULES | {"max_amount": 500}
    assert client.patch(path, {"payment_rules": first}).json()["payment_rules"] == first
    assert client.merge(path, {"payment_rules": second}).json()["payment_rules"] == second
    assert client.get(path).json()["payment_rules"] == second


@EVERY_NOUN
def test_rules_that_were_cleared_stay_away(client: Client, noun: Noun) -> None:
    """2 to 4, row `payment_rules`: absent: cannot be paid against; a later PATCH does not bring the defaults back."""
    path = at(noun.make(client))
    assert "payment_rules" not in client.merge(path, {"payment_rules": None}).json()
    assert "payment_rules" not in client.patch(path, {"metadata": {"a": "b"}}).json()
    assert client.patch(path, {"payment_rules": RULES}).json()["payment_rules"] == RULES
