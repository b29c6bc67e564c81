"""1.1: ETag, Last-Modified, If-None-Match and If-Match."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.contract.client import Client
from tests.contract.samples import CUSTOMERS, a_customer, a_reference, at, create


def test_the_etag_is_the_objects_version_on_every_answer_that_shows_it(client: Client) -> None:
    """1.1: a strong `ETag` on 201, 200 and PATCH; it changes with the object and with nothing else."""
    created = create(client, name="One")
    path = created.header("Location")
    assert not created.etag.startswith("W/")
    assert client.get(path).etag == created.etag
    changed = client.patch(path, {"name": "Two"})
    assert changed.etag != created.etag
    assert client.get(path).etag == changed.etag == client.get(path).etag


def test_the_etag_differs_when_an_old_state_returns(client: Client) -> None:
    """1.1: the object's version, not a digest of its members."""
    created = create(client, name="One")
    path = created.header("Location")
    client.patch(path, {"name": "Two"})
    assert client.patch(path, {"name": "One"}).etag != created.etag


def test_last_modified_is_the_time_of_the_last_change(client: Client) -> None:
    """1.1: `Last-Modified` carries the time, on 201, 200 and PATCH."""
    created = create(client)
    for answer in (
        created,
        client.get(created.header("Location")),
        client.patch(created.header("Location"), {"name": "x"}),
    ):
        age = datetime.now(UTC) - parsedate_to_datetime(answer.header("Last-Modified"))
        assert timedelta(seconds=-1) < age < timedelta(seconds=30)


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '{}, "other"', '"a","b",{}', "*"])
def test_if_none_match_gives_304(client: Client, form: str) -> None:
    """1.1: `If-None-Match` gives 304 (RFC 9110: by weak comparison, from a list, or any with `*`), with no body."""
    customer = a_customer(client)
    etag = client.get(at(customer)).etag
    answer = client.get(at(customer), If_None_Match=form.format(etag))
    assert (answer.status, answer.body) == (304, b"")
    assert answer.etag == etag
    assert answer.header("Request-Id")


@pytest.mark.parametrize("condition", ['"other"', '"other", "another"', 'W/"other"', '""'])
def test_if_none_match_of_another_version_gives_the_object(client: Client, condition: str) -> None:
    customer = a_customer(client)
    answer = client.get(at(customer), If_None_Match=condition)
    assert (answer.status, answer.json()) == (200, customer)


def test_if_none_match_of_a_stale_version_gives_the_object(client: Client) -> None:
    created = create(client, name="One")
    client.patch(created.header("Location"), {"name": "Two"})
    answer = client.get(created.header("Location"), If_None_Match=created.etag)
    assert (answer.status, answer.json()["name"]) == (200, "Two")


def test_if_none_match_of_a_missing_object_is_404(client: Client) -> None:
    assert client.get(f"{CUSTOMERS}/{a_reference()}", If_None_Match="*").status == 404


@pytest.mark.parametrize("form", ["{}", '"other", {}', '{}, "other"', "*"])
def test_if_match_of_the_version_that_stands_lets_the_patch_through(client: Client, form: str) -> None:
    """1.1: `If-Match` on PATCH gives 412 only when stale."""
    created = create(client)
    path = created.header("Location")
    assert client.patch(path, {"name": "New"}, If_Match=form.format(created.etag)).json()["name"] == "New"


@pytest.mark.parametrize("form", ['"other"', '"other", "another"', "W/{}", '""'])
def test_if_match_of_another_version_is_412_and_changes_nothing(client: Client, form: str) -> None:
    """1.5: 412 `precondition_failed`: `If-Match` is stale (RFC 9110: a weak one never matches)."""
    created = create(client, name="Old")
    path = created.header("Location")
    answer = client.patch(path, {"name": "New"}, If_Match=form.format(created.etag))
    assert (answer.status, answer.code) == (412, "precondition_failed")
    assert client.get(path).json()["name"] == "Old"


def test_a_stale_if_match_is_412(client: Client) -> None:
    """1.5: 412 `precondition_failed`: `If-Match` is stale."""
    created = create(client, name="One")
    path = created.header("Location")
    client.patch(path, {"name": "Two"})
    answer = client.patch(path, {"name": "Three"}, If_Match=created.etag)
    assert (answer.status, answer.code) == (412, "precondition_failed")
    assert client.get(path).json()["name"] == "Two"


def test_a_stale_if_match_is_412_even_where_nothing_would_change(client: Client) -> None:
    created = create(client, name="One")
    path = created.header("Location")
    client.patch(path, {"name": "Two"})
    assert client.patch(path, {"name": "Two"}, If_Match=created.etag).status == 412


@pytest.mark.parametrize("condition", ["abc", '"unclosed', "'single'", "W/", ",", '"a" "b"', "x" * 3000])
def test_a_malformed_if_match_lets_nothing_through(client: Client, condition: str) -> None:
    created = create(client, name="Old")
    path = created.header("Location")
    assert client.patch(path, {"name": "New"}, If_Match=condition).status in (400, 412)
    assert client.get(path).json()["name"] == "Old"


def test_of_concurrent_patches_of_one_version_exactly_one_wins(client: Client) -> None:
    """1.1: `If-Match` makes a lost update impossible."""
    created = create(client)
    path = created.header("Location")
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: client.patch(path, {"name": f"{n}"}, If_Match=created.etag), range(10)))
    assert sorted(answer.status for answer in answers) == [200] + [412] * 9
    (winner,) = [answer for answer in answers if answer.status == 200]
    assert client.get(path).json() == winner.json()


def test_lists_have_no_etag(client: Client) -> None:
    """1.1: lists have no ETag."""
    a_customer(client)
    answer = client.get(CUSTOMERS, If_None_Match="*")
    assert answer.status == 200
    assert answer.headers.get("ETag") is None
