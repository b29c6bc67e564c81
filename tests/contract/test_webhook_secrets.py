"""7: the secrets of webhook endpoints: shown at creation and by an explicit call, and rotated with no downtime."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.endpoints import an_endpoint, create_endpoint, delete_all, place
from tests.contract.samples import a_key, moment, refused
from tests.contract.service import Database, Merchant, Service


@pytest.fixture(scope="module")
def keeper(service: Service) -> Merchant:
    """A merchant whose endpoints only this module makes."""
    return service.merchant("Secretive")


@pytest.fixture(scope="module")
def owner(service: Service, keeper: Merchant) -> Client:
    return service.client(keeper.keys["sk_test"])


@pytest.fixture(autouse=True)
def _no_endpoints_are_left(owner: Client) -> Iterator[None]:
    yield
    delete_all(owner)


def rotate(client: Client, endpoint: Json, **members: Any) -> Answer:
    """POST a rotation with `members`, whatever comes of it; with no body and no media type where there are none."""
    path = f"{place(endpoint)}/rotate-secret"
    return client.post(path, members) if members else client.send("POST", path)


def secrets(client: Client, endpoint: Json) -> list[Json]:
    """Return the secrets of an endpoint, as they are listed."""
    answer = client.get(f"{place(endpoint)}/secrets")
    assert (answer.status, answer.headers.get("ETag"), set(answer.json())) == (200, None, {"data"})
    found: list[Json] = answer.json()["data"]
    return found


def expire(database: Database, endpoint: Json, secret_id: str) -> None:
    """Let the time of a secret be over."""
    kept = json.loads(database.value("SELECT secrets FROM webhook_endpoint WHERE id = $1", endpoint["id"]))
    for secret in kept:
        if secret["id"] == secret_id:
            secret["expires_at"] = secret["created_at"]
    database.execute("UPDATE webhook_endpoint SET secrets = $2 WHERE id = $1", endpoint["id"], json.dumps(kept))


def test_a_secret_is_32_random_bytes_that_no_other_endpoint_has(owner: Client) -> None:
    """7: `whsec_<base64>`, as the Standard Webhooks scheme has it."""
    values = [create_endpoint(owner).json()["secret"] for _ in range(10)]
    assert len(set(values)) == 10
    assert all(value.startswith("whsec_") for value in values)
    assert {len(base64.b64decode(value.removeprefix("whsec_"), validate=True)) for value in values} == {32}


def test_a_secret_is_shown_by_an_explicit_call(owner: Client) -> None:
    made = create_endpoint(owner).json()
    (listed,) = secrets(owner, made)
    assert listed == {"id": made["secret_id"], "created_at": made["created_at"]}
    answer = owner.get(f"{place(made)}/secrets/{made['secret_id']}")
    assert (answer.status, answer.json()) == (200, listed | {"secret": made["secret"]})


def test_a_secret_of_another_endpoint_or_none_is_404(owner: Client) -> None:
    one, two = an_endpoint(owner), an_endpoint(owner)
    for name in (two["secret_id"], "sec_0", one["id"], "x", "%00"):
        refused(owner.get(f"{place(one)}/secrets/{name}"), 404)


def test_secrets_are_for_their_merchant_and_mode_alone(
    owner: Client, service: Service, keeper: Merchant, other: Client
) -> None:
    made = an_endpoint(owner)
    for stranger in (other, service.client(keeper.keys["sk"])):
        refused(stranger.get(f"{place(made)}/secrets/{made['secret_id']}"), 404)
        refused(rotate(stranger, made), 404)
    assert len(secrets(owner, made)) == 1


def test_a_rotation_answers_with_the_endpoint_and_its_new_secret(owner: Client) -> None:
    created = create_endpoint(owner, description="books")
    made = created.json()
    answer = rotate(owner, made)
    rotated = answer.json()
    assert (answer.status, answer.etag != created.etag) == (200, True)
    assert (rotated["secret"] != made["secret"], rotated["secret_id"] != made["secret_id"]) == (True, True)
    new = ("secret", "secret_id", "updated_at")
    assert rotated == made | {name: rotated[name] for name in new}
    del rotated["secret"]
    assert (owner.get(place(made)).json(), owner.get(place(made)).etag) == (rotated, answer.etag)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [({}, 86_400), ({"expires_in": None}, 86_400), ({"expires_in": 60}, 60), ({"expires_in": 604_800}, 604_800)],
)
def test_the_old_secret_stays_valid_for_a_chosen_time(owner: Client, given: Json, seconds: int) -> None:
    made = create_endpoint(owner).json()
    rotated = rotate(owner, made, **given).json()
    newest, old = owner.get(f"{place(made)}/secrets/{rotated['secret_id']}"), secrets(owner, made)[1]
    assert newest.json()["secret"] == rotated["secret"]
    assert old["id"] == made["secret_id"]
    assert moment(old["expires_at"]) == moment(rotated["updated_at"]) + timedelta(seconds=seconds)


def test_a_secret_may_end_at_once(owner: Client) -> None:
    made = an_endpoint(owner)
    rotated = rotate(owner, made, expires_in=0).json()
    assert [secret["id"] for secret in secrets(owner, made)] == [rotated["secret_id"]]
    refused(owner.get(f"{place(made)}/secrets/{made['secret_id']}"), 404)


def test_a_secret_whose_time_is_over_is_shown_no_more(owner: Client, database: Database) -> None:
    made = an_endpoint(owner)
    rotated = rotate(owner, made).json()
    assert owner.get(f"{place(made)}/secrets/{made['secret_id']}").status == 200
    expire(database, made, made["secret_id"])
    refused(owner.get(f"{place(made)}/secrets/{made['secret_id']}"), 404)
    assert [secret["id"] for secret in secrets(owner, made)] == [rotated["secret_id"]]


def test_five_secrets_are_valid_at_most(owner: Client, database: Database) -> None:
    made = an_endpoint(owner)
    for _ in range(4):
        assert rotate(owner, made).status == 200
    before = secrets(owner, made)
    refused(rotate(owner, made), 409)
    refused(rotate(owner, made, expires_in=1), 409)
    assert (secrets(owner, made), len(before)) == (before, 5)
    expire(database, made, made["secret_id"])
    assert rotate(owner, made).status == 200
    assert rotate(owner, made, expires_in=0).status == 200
    assert len(secrets(owner, made)) == 1


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"expires_in": -1}, ["/expires_in"]),
        ({"expires_in": 604_801}, ["/expires_in"]),
        ({"expires_in": 1.5}, ["/expires_in"]),
        ({"expires_in": "60"}, ["/expires_in"]),
        ({"expires_in": True}, ["/expires_in"]),
        ({"secret": "whsec_1"}, ["/secret"]),
        ({"expires": 1, "expires_in": {}}, ["/expires", "/expires_in"]),
        ([], [""]),
    ],
)
def test_a_rotation_may_not_have(owner: Client, body: object, pointers: list[str]) -> None:
    made = an_endpoint(owner)
    refused(owner.post(f"{place(made)}/rotate-secret", body), 400, *pointers)
    assert len(secrets(owner, made)) == 1


def test_a_rotation_is_meant_for_a_version(owner: Client) -> None:
    created = create_endpoint(owner)
    path = f"{created.header('Location')}/rotate-secret"
    assert owner.post(path, {}, If_Match=created.etag).status == 200
    assert owner.post(path, {}, If_Match=created.etag).status == 412


def test_a_retried_rotation_makes_one_secret_and_shows_it_again(owner: Client) -> None:
    made = an_endpoint(owner)
    path, headers = f"{place(made)}/rotate-secret", {"Idempotency-Key": a_key()}
    first, second = (owner.send("POST", path, headers=headers) for _ in range(2))
    assert (second.status, second.body, second.header("Idempotent-Replayed")) == (200, first.body, "true")
    assert len(secrets(owner, made)) == 2


def test_a_rotation_is_in_the_audit_log_and_no_secret_is(owner: Client, database: Database) -> None:
    """1.8: who did it."""
    made = create_endpoint(owner).json()
    owner.post(f"{place(made)}/rotate-secret", {}, Owed_Actor="Jane")
    rows = database.rows("SELECT * FROM attribution WHERE object_id = $1 ORDER BY id", made["id"])
    assert [(row["command"], row["actor"]) for row in rows] == [
        ("webhook_endpoint.create", None),
        ("webhook_endpoint.rotate_secret", "Jane"),
    ]
    assert made["secret"] not in str(rows)
