"""1.2: who calls, in which mode, and what a key may do."""

import base64
import hashlib
import re
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.contract.client import Answer, Client, exchange
from tests.contract.samples import CUSTOMERS, a_customer, a_reference, a_request, at, create
from tests.contract.service import Database, Merchant, Service

ROUTES = [
    ("GET", CUSTOMERS),
    ("POST", CUSTOMERS),
    ("GET", f"{CUSTOMERS}/anybody"),
    ("PATCH", f"{CUSTOMERS}/anybody"),
]


def refused(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.code) == (status, code), answer.body
    challenge = answer.headers.get("WWW-Authenticate", "")
    assert challenge.partition(" ")[0] == ("Bearer" if status == 401 else "")


def authorized(service: Service, authorization: str) -> Answer:
    return service.client().send("GET", CUSTOMERS, headers={"Authorization": authorization})


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_a_key_every_operation_is_unauthorized(anonymous: Client, method: str, path: str) -> None:
    """1.2, row 1: no `Authorization` is 401 `unauthorized`, with `WWW-Authenticate: Bearer`."""
    refused(anonymous.send(method, path), 401, "unauthorized")


@pytest.mark.parametrize("scheme", ["Basic", "Digest", "Token", "Bear", "Bearers"])
def test_another_scheme_is_unauthorized(service: Service, merchant: Merchant, scheme: str) -> None:
    """1.2, row 1: not `Bearer` is 401 `unauthorized`, even with a good key behind it."""
    refused(authorized(service, f"{scheme} {merchant.keys['sk_test']}"), 401, "unauthorized")


def test_a_key_as_the_user_of_basic_authentication_is_unauthorized(service: Service, merchant: Merchant) -> None:
    user = base64.b64encode(f"{merchant.keys['sk_test']}:".encode()).decode()
    refused(authorized(service, f"Basic {user}"), 401, "unauthorized")


def test_a_key_with_no_scheme_is_unauthorized(service: Service, merchant: Merchant) -> None:
    refused(authorized(service, merchant.keys["sk_test"]), 401, "unauthorized")


def test_the_schemes_case_does_not_matter(service: Service, merchant: Merchant) -> None:
    """RFC 9110, 11.1: the name of a scheme is compared without regard to case."""
    assert authorized(service, f"bearer {merchant.keys['sk_test']}").status == 200


@pytest.mark.parametrize(
    "key",
    [
        "sk_test_" + "A" * 32,
        "sk_" + "A" * 32,
        "pk_test_" + "A" * 32,
        "sk_test_",
        "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
        "nonsense",
        "x" * 4000,
        "sk_test_" + "é" * 30,
        "sk_test_%00",
        "null",
        "' OR 1=1 --",
    ],
)
def test_a_key_that_does_not_exist_is_invalid(service: Service, key: str) -> None:
    """1.2, row 2: a key that does not exist, or is malformed, is 401 `invalid_api_key`."""
    refused(authorized(service, f"Bearer {key}"), 401, "invalid_api_key")


def test_a_key_changed_anywhere_is_invalid(service: Service, merchant: Merchant) -> None:
    """1.2, row 2: nothing but the whole key is the key."""
    key = merchant.keys["sk_test"]
    wrong = [
        key[:-1],
        key + "A",
        key[:-1] + ("A" if key[-1] != "A" else "B"),
        key.replace("sk_test_", "sk_"),
        key.replace("sk_test_", "pk_test_"),
        key.swapcase(),
        hashlib.sha256(key.encode()).hexdigest(),
    ]
    for attempt in wrong:
        refused(authorized(service, f"Bearer {attempt}"), 401, "invalid_api_key")


def test_two_authorization_headers_are_refused(service: Service, merchant: Merchant) -> None:
    """Which of two keys counts must not be a matter of luck."""
    line = f"Authorization: Bearer {merchant.keys['sk_test']}\r\n"
    other = "Authorization: Bearer sk_test_other\r\n"
    for both in (line + other, other + line):
        answer = exchange(service.port, f"GET {CUSTOMERS} HTTP/1.1\r\nHost: x\r\n{both}\r\n".encode())
        assert answer is not None
        assert 400 <= answer.status < 500


def test_a_key_in_the_query_is_no_key(anonymous: Client, merchant: Merchant) -> None:
    refused(anonymous.get(f"{CUSTOMERS}?key={merchant.keys['sk_test']}"), 401, "unauthorized")


def test_a_refusal_does_not_repeat_the_key(service: Service) -> None:
    """1.5: a `detail` never shows a secret."""
    key = "sk_test_" + "Zz9" * 10
    assert key.encode() not in authorized(service, f"Bearer {key}").body


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_public_key_is_forbidden_where_a_secret_one_is_needed(
    public: Client, public_live: Client, method: str, path: str
) -> None:
    """1.2, row 4: a public key is 403 `forbidden`: every operation needs a secret key."""
    refused(public.send(method, path), 403, "forbidden")
    refused(public_live.send(method, path), 403, "forbidden")


def test_a_public_key_learns_nothing_about_what_exists(client: Client, public: Client) -> None:
    """1.2: a public key sees only what exposes no sensitive data: the refusal is the same for what exists or not."""
    customer = a_customer(client)
    there, missing = public.get(at(customer)), public.get(f"{CUSTOMERS}/{a_reference()}")
    assert there.json()["detail"] == missing.json()["detail"]
    refused(there, 403, "forbidden")


def test_a_public_key_writes_nothing(client: Client, public: Client) -> None:
    customer = a_customer(client, name="Before")
    refused(public.patch(at(customer), {"name": "After"}), 403, "forbidden")
    refused(create(public), 403, "forbidden")
    assert client.get(at(customer)).json()["name"] == "Before"


@pytest.mark.parametrize("kind", ["secret", "public"])
def test_a_revoked_key_is_forbidden(service: Service, merchant: Merchant, kind: str) -> None:
    """1.2, row 3: a revoked key is 403 `forbidden`."""
    made = service.key(merchant, kind=kind)
    service.run("keys", "revoke", made["id"])
    refused(authorized(service, f"Bearer {made['key']}"), 403, "forbidden")


def test_an_expired_key_is_forbidden_from_that_instant(service: Service, merchant: Merchant) -> None:
    """1.2, row 3: an expired key is 403 `forbidden`; before that it works, also where a worker knows it already."""
    expiry = datetime.now(UTC) + timedelta(seconds=6)
    made = service.key(merchant, expires_at=expiry.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    caller = service.client(made["key"])
    assert caller.get(CUSTOMERS).status == 200
    while datetime.now(UTC) < expiry + timedelta(seconds=0.2):
        answer = caller.get(f"{CUSTOMERS}?limit=1")
        assert answer.status == 200 or datetime.now(UTC) >= expiry
    refused(caller.get(CUSTOMERS), 403, "forbidden")


def test_a_new_key_works_at_once_on_every_worker(two_workers: Service, merchant: Merchant) -> None:
    """1.2: a new key works at once."""
    made = two_workers.key(merchant, name="rotation")
    assert [authorized(two_workers, f"Bearer {made['key']}").status for _ in range(20)] == [200] * 20


def test_a_key_that_was_refused_before_it_was_stored_works_once_it_is(
    two_workers: Service, merchant: Merchant, database: Database
) -> None:
    """1.2: a new key works at once: a worker never remembers that a key does not exist."""
    key = "sk_test_" + hashlib.sha256(a_reference().encode()).hexdigest()[:32]
    for _ in range(8):
        refused(authorized(two_workers, f"Bearer {key}"), 401, "invalid_api_key")
    database.execute(
        """INSERT INTO api_key (id, tenant_id, type, hash, last4)
           SELECT $1, tenant.id, 'secret', $2, $3 FROM tenant WHERE merchant_id = $4 AND mode = 'test'""",
        f"key_{a_reference()[4:26]}",
        hashlib.sha256(key.encode()).digest(),
        key[-4:],
        merchant.id,
    )
    assert [authorized(two_workers, f"Bearer {key}").status for _ in range(8)] == [200] * 8


def test_a_revocation_is_in_force_on_every_worker_within_a_second(two_workers: Service, merchant: Merchant) -> None:
    """1.2: a revocation is in force on every worker within 1 second."""
    made = two_workers.key(merchant)
    callers = [two_workers.client(made["key"]) for _ in range(12)]
    assert {caller.get(CUSTOMERS).status for caller in callers} == {200}
    two_workers.run("keys", "revoke", made["id"])
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline and {caller.get(CUSTOMERS).status for caller in callers} != {403}:
        pass
    assert [caller.get(CUSTOMERS).status for caller in callers] == [403] * 12


def test_several_keys_of_one_kind_are_active_at_once(service: Service, merchant: Merchant, client: Client) -> None:
    """1.2: several of one kind may be active, so that they can be rotated with no downtime."""
    second = service.client(service.key(merchant, name="second")["key"])
    customer = a_customer(client)
    assert second.get(at(customer)).json() == customer


def test_the_key_alone_decides_the_mode(client: Client, live: Client) -> None:
    """1.2: test and live data never meet; the host is the same."""
    test, real = a_customer(client), a_customer(live)
    assert live.get(at(test)).status == 404
    assert client.get(at(real)).status == 404
    assert live.get(f"{CUSTOMERS}/{test['external_reference']}").status == 404
    assert live.patch(at(test), {"name": "x"}).status == 404


def test_the_same_reference_may_exist_in_both_modes(client: Client, live: Client) -> None:
    """1.2: the same `external_reference` may exist in test and in live mode."""
    request = a_request()
    first, second = client.post(CUSTOMERS, request), live.post(CUSTOMERS, request)
    assert (first.status, second.status) == (201, 201)
    assert first.json()["id"] != second.json()["id"]


@pytest.mark.parametrize("prefix", ["sk_test", "pk_test", "sk", "pk"])
def test_each_merchant_has_four_keys_with_their_own_prefixes(merchant: Merchant, prefix: str) -> None:
    """1.2: secret and public, in test and in live mode; at least 160 random bits: 27 characters of base 62."""
    assert re.fullmatch(f"{prefix}_[A-Za-z0-9]{{27,}}", merchant.keys[prefix])


def test_keys_are_stored_only_as_a_hash(database: Database, merchant: Merchant) -> None:
    """1.2: keys are stored only as a hash."""
    everything = " ".join(row["row"] for row in database.rows("SELECT row_to_json(api_key)::text AS row FROM api_key"))
    for key in merchant.keys.values():
        assert key.rpartition("_")[2] not in everything


def test_keys_are_listed_with_all_but_the_key(service: Service, merchant: Merchant, client: Client) -> None:
    """1.2: keys are shown once, can have a name and an expiry."""
    made = service.key(merchant, mode="live", kind="public", name="till 7", expires_at="2099-01-01T00:00:00Z")
    a_customer(client)
    listed = service.owed("keys", "list")
    (mine,) = [key for key in listed if key["id"] == made["id"]]
    assert (mine["name"], mine["mode"], mine["type"], mine["merchant_id"]) == ("till 7", "live", "public", merchant.id)
    assert mine["expires_at"].startswith("2099-01-01T00:00:00")
    assert mine["last4"] == made["key"][-4:]
    assert set(mine) == {
        "id", "merchant_id", "mode", "type", "name", "last4", "created_at", "expires_at", "revoked_at", "last_used_at",
    }  # fmt: skip
    assert made["key"] not in str(listed)
