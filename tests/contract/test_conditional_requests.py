"""1.1: ETag, Last-Modified, If-None-Match and If-Match."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.contract.client import Client, Json
from tests.contract.samples import (
    BILL,
    BILLS,
    EVERY_NOUN,
    Noun,
    a_bill,
    a_customer,
    a_reference,
    an_account,
    at,
)
from tests.contract.service import Database


def named(name: str) -> Json:
    """Return members that every kind of object can be given, and that can change."""
    return {"metadata": {"name": name}}


@EVERY_NOUN
def test_the_etag_is_the_objects_version_on_every_answer_that_shows_it(client: Client, noun: Noun) -> None:
    """1.1: a strong `ETag` on 201, 200 and PATCH; it changes with the object and with nothing else."""
    created = noun.create(client, **named("One"))
    path = created.header("Location")
    assert not created.etag.startswith("W/")
    assert client.get(path).etag == created.etag
    changed = client.patch(path, named("Two"))
    assert changed.etag != created.etag
    assert client.get(path).etag == changed.etag == client.get(path).etag


@EVERY_NOUN
def test_the_etag_differs_when_an_old_state_returns(client: Client, noun: Noun) -> None:
    """1.1: the object's version, not a digest of its members."""
    created = noun.create(client, **named("One"))
    path = created.header("Location")
    client.patch(path, named("Two"))
    assert client.patch(path, named("One")).etag != created.etag


@EVERY_NOUN
def test_last_modified_is_the_time_of_the_last_change(client: Client, noun: Noun) -> None:
    """1.1: `Last-Modified` carries the time, on 201, 200 and PATCH."""
    created = noun.create(client)
    for answer in (
        created,
        client.get(created.header("Location")),
        client.patch(created.header("Location"), named("x")),
    ):
        age = datetime.now(UTC) - parsedate_to_datetime(answer.header("Last-Modified"))
        assert timedelta(seconds=-1) < age < timedelta(seconds=30)


@EVERY_NOUN
@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '{}, "other"', '"a","b",{}', "*"])
def test_if_none_match_gives_304(client: Client, noun: Noun, form: str) -> None:
    """1.1: `If-None-Match` gives 304 (RFC 9110: by weak comparison, from a list, or any with `*`), with no body."""
    thing = noun.make(client)
    etag = client.get(at(thing)).etag
    answer = client.get(at(thing), If_None_Match=form.format(etag))
    assert (answer.status, answer.body) == (304, b"")
    assert answer.etag == etag
    assert answer.header("Request-Id")


@EVERY_NOUN
@pytest.mark.parametrize("condition", ['"other"', '"other", "another"', 'W/"other"', '""'])
def test_if_none_match_of_another_version_gives_the_object(client: Client, noun: Noun, condition: str) -> None:
    thing = noun.make(client)
    answer = client.get(at(thing), If_None_Match=condition)
    assert (answer.status, answer.json()) == (200, thing)


@EVERY_NOUN
def test_if_none_match_of_a_stale_version_gives_the_object(client: Client, noun: Noun) -> None:
    created = noun.create(client, **named("One"))
    client.patch(created.header("Location"), named("Two"))
    answer = client.get(created.header("Location"), If_None_Match=created.etag)
    assert (answer.status, answer.json()["metadata"]["name"]) == (200, "Two")


@EVERY_NOUN
def test_if_none_match_of_a_missing_object_is_404(client: Client, noun: Noun) -> None:
    assert client.get(f"{noun.path}/{a_reference()}", If_None_Match="*").status == 404


@EVERY_NOUN
@pytest.mark.parametrize("form", ["{}", '"other", {}', '{}, "other"', "*"])
def test_if_match_of_the_version_that_stands_lets_the_patch_through(client: Client, noun: Noun, form: str) -> None:
    """1.1: `If-Match` on PATCH gives 412 only when stale."""
    created = noun.create(client)
    path = created.header("Location")
    assert client.patch(path, named("New"), If_Match=form.format(created.etag)).json()["metadata"]["name"] == "New"


@EVERY_NOUN
@pytest.mark.parametrize("form", ['"other"', '"other", "another"', "W/{}", '""'])
def test_if_match_of_another_version_is_412_and_changes_nothing(client: Client, noun: Noun, form: str) -> None:
    """1.5: 412 `precondition_failed`: `If-Match` is stale (RFC 9110: a weak one never matches)."""
    created = noun.create(client, **named("Old"))
    path = created.header("Location")
    answer = client.patch(path, named("New"), If_Match=form.format(created.etag))
    assert (answer.status, answer.code) == (412, "precondition_failed")
    assert client.get(path).json()["metadata"]["name"] == "Old"


@EVERY_NOUN
def test_a_stale_if_match_is_412(client: Client, noun: Noun) -> None:
    """1.5: 412 `precondition_failed`: `If-Match` is stale."""
    created = noun.create(client, **named("One"))
    path = created.header("Location")
    client.patch(path, named("Two"))
    answer = client.patch(path, named("Three"), If_Match=created.etag)
    assert (answer.status, answer.code) == (412, "precondition_failed")
    assert client.get(path).json()["metadata"]["name"] == "Two"


@EVERY_NOUN
def test_a_stale_if_match_is_412_even_where_nothing_would_change(client: Client, noun: Noun) -> None:
    created = noun.create(client, **named("One"))
    path = created.header("Location")
    client.patch(path, named("Two"))
    assert client.patch(path, named("Two"), If_Match=created.etag).status == 412


@EVERY_NOUN
@pytest.mark.parametrize("condition", ["abc", '"unclosed', "'single'", "W/", ",", '"a" "b"', "x" * 3000])
def test_a_malformed_if_match_lets_nothing_through(client: Client, noun: Noun, condition: str) -> None:
    created = noun.create(client, **named("Old"))
    path = created.header("Location")
    assert client.patch(path, named("New"), If_Match=condition).status in (400, 412)
    assert client.get(path).json()["metadata"]["name"] == "Old"


@EVERY_NOUN
def test_of_concurrent_patches_of_one_version_exactly_one_wins(client: Client, noun: Noun) -> None:
    """1.1: `If-Match` makes a lost update impossible."""
    created = noun.create(client)
    path = created.header("Location")
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: client.patch(path, named(f"{n}"), If_Match=created.etag), range(10)))
    assert sorted(answer.status for answer in answers) == [200] + [412] * 9
    (winner,) = [answer for answer in answers if answer.status == 200]
    assert client.get(path).json() == winner.json()


@EVERY_NOUN
def test_lists_have_no_etag(client: Client, noun: Noun) -> None:
    """1.1: lists have no ETag."""
    noun.make(client)
    answer = client.get(noun.path, If_None_Match="*")
    assert answer.status == 200
    assert answer.headers.get("ETag") is None


# What an object's version counts


def test_a_child_leaves_the_version_of_its_parents_alone(client: Client) -> None:
    """1.1: the object's version: accounts and bills of a customer are no change of it, nor bills of an account."""
    customer = a_customer(client, currency="ZAR", balance=5)
    account = an_account(client, customer=customer["id"], currency="ZAR", balance=5)
    before = [client.get(at(thing)) for thing in (customer, account)]
    bill = a_bill(client, account=account["id"])
    client.patch(at(bill), {"amount_paid": 1000})
    an_account(client, customer=customer["id"])
    after = [client.get(at(thing)) for thing in (customer, account)]
    assert [(answer.body, answer.etag) for answer in after] == [(answer.body, answer.etag) for answer in before]


# Void is a change like any other


def test_a_void_gives_another_etag(client: Client) -> None:
    """1.1: the object's version, on every answer that shows it."""
    created = BILL.create(client)
    bill = created.json()
    voided = client.send("POST", f"{at(bill)}/void")
    got = client.get(at(bill))
    assert voided.etag not in {created.etag, ""}
    assert (got.etag, got.body) == (voided.etag, voided.body)
    assert client.get(at(bill), If_None_Match=voided.etag).status == 304


@pytest.mark.parametrize("form", ["stale", '"other"', "weak"])
def test_a_void_of_another_version_is_412_and_changes_nothing(client: Client, form: str) -> None:
    """1.1: `If-Match` gives 412 when stale, where an object is changed by POST too."""
    created = BILL.create(client)
    path = at(created.json())
    current = client.patch(path, named("Two"))
    condition = {"stale": created.etag, "weak": f"W/{current.etag}"}.get(form, form)
    for body in (None, b'{"metadata": {"a": "b"}}', b'{"metadata": 5}'):
        headers = {"If-Match": condition} | ({"Content-Type": "application/json"} if body else {})
        answer = client.send("POST", f"{path}/void", body, headers)
        assert (answer.status, answer.code) == (412, "precondition_failed")
    got = client.get(path)
    assert (got.json()["status"], got.etag) == ("unpaid", current.etag)
    assert client.send("POST", f"{path}/void", headers={"If-Match": current.etag}).status == 200


def test_if_match_comes_before_the_state_of_a_voided_bill(client: Client) -> None:
    """1.1: the path's object (404), `If-Match`, validation, state."""
    created = BILL.create(client)
    path = at(created.json())
    client.send("POST", f"{path}/void")
    assert client.patch(path, named("Two"), If_Match=created.etag).status == 412
    assert client.send("POST", f"{path}/void", headers={"If-Match": created.etag}).status == 412
    assert client.send("POST", f"{BILLS}/{a_reference()}/void", headers={"If-Match": created.etag}).status == 404


def test_of_concurrent_voids_of_one_version_exactly_one_wins(client: Client, database: Database) -> None:
    created = BILL.create(client)
    path = f"{at(created.json())}/void"
    headers = {"If-Match": created.etag}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.send("POST", path, headers=headers), range(8)))
    assert sorted(answer.status for answer in answers) == [200] + [412] * 7
    count = "SELECT count(*) FROM event WHERE object_id = $1 AND type = 'bill.voided'"
    assert database.value(count, created.json()["id"]) == 1
