"""1.4: Idempotency-Key."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.client import JSON, MERGE_PATCH, Answer, Client, Json, exchange
from tests.contract.samples import (
    BILL,
    CUSTOMERS,
    EVERY_NOUN,
    SETTINGS,
    Noun,
    a_bill,
    a_customer,
    a_key,
    a_reference,
    a_request,
    an_account,
    at,
    create,
    pay,
)
from tests.contract.service import Database, Merchant, Service

CHANGE: Json = {"metadata": {"changed": "since"}}
"""What changes an object of any kind."""


def is_replay(answer: Answer) -> bool:
    assert answer.headers.get("Idempotent-Replayed") in (None, "true")
    return answer.headers.get("Idempotent-Replayed") == "true"


def assert_replayed(first: Answer, again: Answer) -> None:
    assert not is_replay(first)
    assert is_replay(again)
    assert (again.status, again.body) == (first.status, first.body)
    for name in ("Location", "ETag", "Content-Type"):
        assert again.headers.get(name) == first.headers.get(name), name


# The key itself


@pytest.mark.parametrize("key", ["a", "A_b-9", "_", "-", "x" * 255, "8e03978e-40d5-43e8-bc93-6894a57f9324"])
def test_a_key_may_be(client: Client, key: str) -> None:
    """1.4: 1 to 255 characters of `[A-Za-z0-9_-]`."""
    request = a_request()
    assert_replayed(
        client.post(CUSTOMERS, request, Idempotency_Key=key), client.post(CUSTOMERS, request, Idempotency_Key=key)
    )


@pytest.mark.parametrize("key", [" ", "x" * 256, "a b", "a.b", "a/b", "é", '"a"', "a,b", "a:b", "a%20", "a\tb"])
def test_a_malformed_key_is_400_naming_the_header(client: Client, key: str) -> None:
    """1.4: else 400 naming the header, on POST and on PATCH."""
    customer = a_customer(client)
    for answer in (
        client.post(CUSTOMERS, a_request(), Idempotency_Key=key),
        client.patch(at(customer), {"name": "New"}, Idempotency_Key=key),
    ):
        assert (answer.status, answer.code) == (400, "invalid_request")
        assert answer.pointers == ["header: Idempotency-Key"]
    assert client.get(at(customer)).json() == customer


def test_two_keys_are_no_key(service: Service, client: Client) -> None:
    """1.4: a key has no comma: which of two headers counts must not be a matter of luck."""
    body = json.dumps(a_request()).encode()
    lines = [f"POST {CUSTOMERS} HTTP/1.1", "Host: x", f"Authorization: Bearer {client.key}", f"Content-Type: {JSON}"]
    lines += [f"Content-Length: {len(body)}", "Idempotency-Key: a", "Idempotency-Key: b", "", ""]
    answer = exchange(service.port, "\r\n".join(lines).encode() + body)
    assert answer is not None
    assert (answer.status, answer.pointers) == (400, ["header: Idempotency-Key"])


@EVERY_NOUN
def test_a_key_is_optional(client: Client, noun: Noun) -> None:
    """1.4: on POSTs that move no money it is required only if the merchant's settings say so."""
    assert noun.create(client).status == 201


def test_a_void_needs_no_key(client: Client) -> None:
    assert client.send("POST", f"{at(a_bill(client))}/void").status == 200


@EVERY_NOUN
def test_a_malformed_key_is_refused_for_every_kind(client: Client, noun: Noun) -> None:
    """1.4: else 400 naming the header."""
    thing, request = noun.make(client), noun.request(client)
    answers = [
        client.post(noun.path, request, Idempotency_Key="a b"),
        client.patch(at(thing), CHANGE, Idempotency_Key="a b"),
    ]
    if noun is BILL:
        answers.append(client.send("POST", f"{at(thing)}/void", headers={"Idempotency-Key": "a b"}))
    for answer in answers:
        assert (answer.status, answer.pointers) == (400, ["header: Idempotency-Key"])
    assert client.get(at(thing)).json() == thing
    assert client.get(f"{noun.path}/{request['external_reference']}").status == 404


def test_a_merchant_may_require_a_key_on_every_post(service: Service) -> None:
    """1.4: on other POSTs only if the merchant's settings say `require_idempotency_key`; never on PATCH."""
    strict = service.merchant("Strict")
    caller = service.client(strict.keys["sk_test"])
    assert create(caller).status == 201
    assert caller.patch(SETTINGS, {"require_idempotency_key": True}).status == 200
    answer = create(caller)
    assert (answer.status, answer.code, answer.pointers) == (400, "invalid_request", ["header: Idempotency-Key"])
    keyed = caller.post(CUSTOMERS, a_request(), Idempotency_Key=a_key())
    assert keyed.status == 201
    assert caller.patch(at(keyed.json()), {"name": "x"}).status == 200
    assert create(service.client(strict.keys["sk"])).status == 201


# Replay


def test_a_create_is_replayed_byte_for_byte(client: Client, database: Database) -> None:
    """1.4: the first request's status and body are kept and replayed, with `Idempotent-Replayed: true`."""
    key, request = a_key(), a_request(name="Zoë", currency="ZAR", balance=5)
    first = client.post(CUSTOMERS, request, Idempotency_Key=key)
    client.patch(at(first.json()), {"name": "Changed since"})
    again = client.post(CUSTOMERS, request, Idempotency_Key=key, Request_Id="second-time")
    assert_replayed(first, again)
    assert again.header("Request-Id") == "second-time"
    assert (
        database.value("SELECT count(*) FROM customer WHERE external_reference = $1", request["external_reference"])
        == 1
    )
    assert database.value("SELECT count(*) FROM transfer WHERE obligation_id = $1", first.json()["id"]) == 1
    assert database.value("SELECT count(*) FROM event WHERE object_id = $1", first.json()["id"]) == 2


def test_a_patch_is_replayed_too(client: Client, database: Database) -> None:
    """1.4: where it is given it always counts, on PATCH too."""
    customer, key = a_customer(client, currency="ZAR", balance=5), a_key()
    first = client.patch(at(customer), {"balance": 10}, Idempotency_Key=key)
    client.patch(at(customer), {"balance": 20})
    assert_replayed(first, client.patch(at(customer), {"balance": 10}, Idempotency_Key=key))
    assert client.get(at(customer)).json()["balance"] == 20
    assert database.value("SELECT count(*) FROM transfer WHERE obligation_id = $1", customer["id"]) == 3


@EVERY_NOUN
def test_a_create_of_every_kind_is_replayed_byte_for_byte(client: Client, database: Database, noun: Noun) -> None:
    """1.4: kept: with its body byte for byte, `Location` and `ETag`."""
    key, request = a_key(), noun.request(client, metadata={"name": "Zoë"})
    first = client.post(noun.path, request, Idempotency_Key=key)
    assert client.patch(at(first.json()), CHANGE).status == 200
    assert_replayed(first, client.post(noun.path, request, Idempotency_Key=key))
    counts = f"""SELECT (SELECT count(*) FROM {noun} WHERE external_reference = $1),
                        (SELECT count(*) FROM event WHERE object_id = $2)"""
    assert [tuple(row) for row in database.rows(counts, request["external_reference"], first.json()["id"])] == [(1, 2)]


@EVERY_NOUN
def test_a_patch_of_every_kind_is_replayed_byte_for_byte(client: Client, database: Database, noun: Noun) -> None:
    """1.4: where it is given it always counts, on PATCH too."""
    thing, key = noun.make(client), a_key()
    first = client.patch(at(thing), {"metadata": {"a": "1"}}, Idempotency_Key=key)
    since = client.patch(at(thing), {"metadata": {"a": "2"}})
    assert_replayed(first, client.patch(at(thing), {"metadata": {"a": "1"}}, Idempotency_Key=key))
    assert (client.get(at(thing)).body, client.get(at(thing)).etag) == (since.body, since.etag)
    assert database.value("SELECT count(*) FROM event WHERE object_id = $1", thing["id"]) == 3


@pytest.mark.parametrize("body", [None, b"{}", b'{"metadata": {"why": "wrong"}}'])
def test_a_void_is_replayed_byte_for_byte(client: Client, database: Database, body: bytes | None) -> None:
    """1.4: `Idempotency-Key` on POST: a void too, with and without a body."""
    bill, key = a_bill(client), a_key()
    headers = {"Idempotency-Key": key} | ({"Content-Type": JSON} if body else {})
    first = client.send("POST", f"{at(bill)}/void", body, headers)
    assert first.status == 200
    assert_replayed(first, client.send("POST", f"{at(bill)}/void", body, headers))
    again = client.send("POST", f"{at(bill)}/void", body, headers | {"Idempotency-Key": a_key()})
    assert (again.status, again.code) == (409, "conflict")
    assert database.value("SELECT count(*) FROM transfer WHERE obligation_id = $1", bill["id"]) == 2
    assert database.value("SELECT count(*) FROM event WHERE object_id = $1", bill["id"]) == 2


def test_a_void_that_was_refused_is_kept(client: Client) -> None:
    """1.4: kept: 404 and 409, also once a new decision would differ."""
    bill, key = a_bill(client), a_key()
    client.patch(at(bill), {"amount_paid": 5})
    path, headers = f"{at(bill)}/void", {"Idempotency-Key": key}
    first = client.send("POST", path, headers=headers)
    assert first.status == 409
    client.patch(at(bill), {"amount_paid": 0})
    assert_replayed(first, client.send("POST", path, headers=headers))
    assert client.send("POST", path, headers={"Idempotency-Key": a_key()}).status == 200
    reference = a_reference()
    path, headers = f"/billing/bills/{reference}/void", {"Idempotency-Key": a_key()}
    first = client.send("POST", path, headers=headers)
    a_bill(client, external_reference=reference)
    assert (first.status, client.send("POST", path, headers=headers).status) == (404, 404)


def test_a_void_and_a_void_with_a_body_are_two_requests(client: Client) -> None:
    """1.4: the fingerprint is method, path with query, media type, `If-Match`, and the body's JSON value."""
    bill, key = a_bill(client), a_key()
    path, headers = f"{at(bill)}/void", {"Idempotency-Key": key}
    first = client.send("POST", path, headers=headers)
    for body, more in (
        (b"{}", {"Content-Type": JSON}),
        (b'{"metadata": {"a": "b"}}', {"Content-Type": JSON}),
        (None, {"If-Match": first.etag}),
    ):
        answer = client.send("POST", path, body, headers | more)
        assert (answer.status, answer.code) == (422, "idempotency_key_reused")
    by_reference = f"/billing/bills/{bill['external_reference']}/void"
    assert client.send("POST", by_reference, headers=headers).status == 422
    assert_replayed(first, client.send("POST", path, headers=headers))


@EVERY_NOUN
def test_a_conflict_and_a_missing_object_are_kept_for_every_kind(client: Client, noun: Noun) -> None:
    """1.4: kept, including 404 and 409, even when a new decision would differ."""
    key, taken = a_key(), noun.make(client)["external_reference"]
    request = noun.request(client, external_reference=taken)
    first = client.post(noun.path, request, Idempotency_Key=key)
    assert first.status == 409
    assert_replayed(first, client.post(noun.path, request, Idempotency_Key=key))
    key, reference = a_key(), a_reference()
    first = client.patch(f"{noun.path}/{reference}", CHANGE, Idempotency_Key=key)
    assert first.status == 404
    noun.make(client, external_reference=reference)
    assert_replayed(first, client.patch(f"{noun.path}/{reference}", CHANGE, Idempotency_Key=key))


@EVERY_NOUN
def test_a_400_leaves_the_key_free_for_every_kind(client: Client, noun: Noun) -> None:
    """1.4: not kept, and the key stays free: every 400."""
    key, request, thing = a_key(), noun.request(client), noun.make(client)
    for wrong in (
        client.post(noun.path, request | {"surname": "x"}, Idempotency_Key=key),
        client.post(noun.path, request | {"metadata": {f"k{n}": "" for n in range(21)}}, Idempotency_Key=key),
        client.patch(at(thing), {"external_reference": "other"}, Idempotency_Key=key),
    ):
        assert (wrong.status, is_replay(wrong)) == (400, False)
    right = client.post(noun.path, request, Idempotency_Key=key)
    assert (right.status, is_replay(right)) == (201, False)


def test_a_patch_that_changed_nothing_is_replayed_too(client: Client) -> None:
    customer, key = a_customer(client, name="Same"), a_key()
    first = client.patch(at(customer), {"name": "Same"}, Idempotency_Key=key)
    client.patch(at(customer), {"name": "Other"})
    assert_replayed(first, client.patch(at(customer), {"name": "Same"}, Idempotency_Key=key))
    assert client.get(at(customer)).json()["name"] == "Other"


def test_a_conflict_is_kept(client: Client) -> None:
    """1.4: kept: every outcome that was decided, including 409, even when a new decision would differ."""
    customer, key = a_customer(client, currency="ZAR", balance=5), a_key()
    request = {"external_reference": customer["external_reference"]}
    first = client.post(CUSTOMERS, request, Idempotency_Key=key)
    assert first.status == 409
    assert_replayed(first, client.post(CUSTOMERS, request, Idempotency_Key=key))
    key = a_key()
    first = client.patch(at(customer), {"currency": "USD"}, Idempotency_Key=key)
    assert first.status == 409
    assert_replayed(first, client.patch(at(customer), {"currency": "USD"}, Idempotency_Key=key))


def test_a_missing_object_is_kept(client: Client) -> None:
    """1.4: kept, including 404: also after the object has come into being."""
    reference, key = a_reference(), a_key()
    first = client.patch(f"{CUSTOMERS}/{reference}", {"name": "x"}, Idempotency_Key=key)
    assert first.status == 404
    customer = a_customer(client, external_reference=reference)
    assert_replayed(first, client.patch(f"{CUSTOMERS}/{reference}", {"name": "x"}, Idempotency_Key=key))
    assert client.get(at(customer)).json() == customer


def test_a_failed_precondition_is_kept(client: Client) -> None:
    """1.4: kept, including 412; `If-Match` is part of the fingerprint, so the replay comes before it is looked at."""
    created, key = create(client, name="One"), a_key()
    path = created.header("Location")
    changed = client.patch(path, {"name": "Two"})
    first = client.patch(path, {"name": "Three"}, Idempotency_Key=key, If_Match=created.etag)
    assert first.status == 412
    assert_replayed(first, client.patch(path, {"name": "Three"}, Idempotency_Key=key, If_Match=created.etag))
    assert client.get(path).etag == changed.etag


def test_a_success_under_if_match_is_replayed_though_it_is_stale_by_then(client: Client) -> None:
    created, key = create(client), a_key()
    path = created.header("Location")
    first = client.patch(path, {"name": "Two"}, Idempotency_Key=key, If_Match=created.etag)
    assert first.status == 200
    assert_replayed(first, client.patch(path, {"name": "Two"}, Idempotency_Key=key, If_Match=created.etag))


# What is not kept


def test_a_400_leaves_the_key_free(client: Client, database: Database) -> None:
    """1.4: not kept, and the key stays free: every 400."""
    key, request = a_key(), a_request()
    customer = a_customer(client)
    for wrong in (
        client.post(CUSTOMERS, request | {"email": "x"}, Idempotency_Key=key),
        client.post(CUSTOMERS, b"{", Idempotency_Key=key),
        client.post(CUSTOMERS, request | {"balance": 5}, Idempotency_Key=key),
        client.post(f"{CUSTOMERS}?x=1", request, Idempotency_Key=key),
        client.post(CUSTOMERS, request, Idempotency_Key=key, Owed_Actor="x" * 256),
        client.patch(at(customer), {"balance": 5}, Idempotency_Key=key),
        client.patch(at(customer), {"id": "bcus_other"}, Idempotency_Key=key),
    ):
        assert (wrong.status, is_replay(wrong)) == (400, False)
    assert database.value("SELECT count(*) FROM answer WHERE key = $1", key) == 0
    right = client.post(CUSTOMERS, request, Idempotency_Key=key)
    assert (right.status, is_replay(right)) == (201, False)


def test_a_400_that_the_state_decides_leaves_the_key_free(client: Client) -> None:
    """1.4: every 400, also one that only the object shows: metadata past its limit after the merge."""
    path, key = at(a_customer(client, metadata={f"k{n}": "" for n in range(20)})), a_key()
    assert client.patch(path, {"metadata": {"more": "x"}}, Idempotency_Key=key).status == 400
    client.merge(path, {"metadata": {"k0": None}})
    answer = client.patch(path, {"metadata": {"more": "x"}}, Idempotency_Key=key)
    assert (answer.status, is_replay(answer)) == (200, False)


def test_a_401_403_413_and_415_leave_the_key_free(service: Service, client: Client, public: Client) -> None:
    """1.4: not kept, and the key stays free: 401, 403, 413, 415 (and a 405, which no object decides)."""
    key, request = a_key(), a_request()
    stranger = service.client("sk_test_" + "A" * 32)
    statuses = [
        stranger.post(CUSTOMERS, request, Idempotency_Key=key).status,
        public.post(CUSTOMERS, request, Idempotency_Key=key).status,
        client.post(CUSTOMERS, json.dumps(request).encode().ljust(2**20 + 1), Idempotency_Key=key).status,
        client.post(CUSTOMERS, request, Idempotency_Key=key, Content_Type="text/plain").status,
        client.send("PUT", CUSTOMERS, b"{}", {"Idempotency-Key": key, "Content-Type": JSON}).status,
    ]
    assert statuses == [401, 403, 413, 415, 405]
    answer = client.post(CUSTOMERS, request, Idempotency_Key=key)
    assert (answer.status, is_replay(answer)) == (201, False)


# Fingerprint


def test_the_bodys_value_counts_and_not_its_bytes(client: Client) -> None:
    """1.4: the fingerprint is … the body's JSON value (not its bytes)."""
    key, reference = a_key(), a_reference()
    first = client.post(
        CUSTOMERS,
        f'{{"external_reference":"{reference}","name":"Aé","metadata":{{"a":"1","b":"2"}}}}'.encode(),
        Idempotency_Key=key,
    )
    metadata = '"metadata": {"b":"2", "a":"\\u0031"}'
    same = f' {{ "name" : "\\u0041\\u00e9",\n{metadata}, "external_reference": "{reference}" }} '
    assert_replayed(first, client.post(CUSTOMERS, same.encode(), Idempotency_Key=key))


def test_who_sends_it_again_and_why_does_not_count(client: Client) -> None:
    """1.4: `Owed-Actor` and `Owed-Reason` are no part of the fingerprint."""
    key, request = a_key(), a_request()
    first = client.post(CUSTOMERS, request, Idempotency_Key=key, Owed_Actor="mary", Owed_Reason="first")
    assert_replayed(first, client.post(CUSTOMERS, request, Idempotency_Key=key, Owed_Actor="john"))


@pytest.mark.parametrize("name", ["body", "null", "query", "method and path"])
def test_the_same_key_with_another_fingerprint_gets_422(client: Client, name: str) -> None:
    """1.4, 1.5: the same key with another fingerprint gets 422 `idempotency_key_reused`, and nothing happens."""
    key, request, other = a_key(), a_request(), a_request()
    customer = a_customer(client)
    first = client.post(CUSTOMERS, request, Idempotency_Key=key)
    reused = {
        "body": lambda: client.post(CUSTOMERS, other, Idempotency_Key=key),
        "null": lambda: client.post(CUSTOMERS, request | {"name": None}, Idempotency_Key=key),
        "query": lambda: client.post(f"{CUSTOMERS}?x=1", request, Idempotency_Key=key),
        "method and path": lambda: client.patch(at(customer), {"name": "x"}, Idempotency_Key=key),
    }[name]()
    assert (reused.status, reused.code, is_replay(reused)) == (422, "idempotency_key_reused", False)
    assert client.get(f"{CUSTOMERS}/{other['external_reference']}").status == 404
    assert client.get(at(customer)).json() == customer
    assert_replayed(first, client.post(CUSTOMERS, request, Idempotency_Key=key))


@pytest.mark.parametrize("name", ["reference", "media type", "another If-Match", "no If-Match", "body"])
def test_a_patch_with_another_fingerprint_gets_422(client: Client, name: str) -> None:
    """1.4: the fingerprint is method, path with query, media type, `If-Match`, and the body's JSON value."""
    created, key, change = create(client, name="Old"), a_key(), {"name": "New"}
    path, etag = created.header("Location"), created.etag
    first = client.patch(path, change, Idempotency_Key=key, If_Match=etag)
    by_reference = f"{CUSTOMERS}/{created.json()['external_reference']}"
    reused = {
        "reference": lambda: client.patch(by_reference, change, Idempotency_Key=key, If_Match=etag),
        "media type": lambda: client.patch(path, change, Idempotency_Key=key, If_Match=etag, Content_Type=MERGE_PATCH),
        "another If-Match": lambda: client.patch(path, change, Idempotency_Key=key, If_Match=first.etag),
        "no If-Match": lambda: client.patch(path, change, Idempotency_Key=key),
        "body": lambda: client.patch(path, {"name": "Newer"}, Idempotency_Key=key, If_Match=etag),
    }[name]()
    assert (reused.status, reused.code) == (422, "idempotency_key_reused")
    got = client.get(path)
    assert (got.json(), got.etag) == (first.json(), first.etag)
    assert_replayed(first, client.patch(path, change, Idempotency_Key=key, If_Match=etag))


def test_one_key_is_of_one_route(client: Client) -> None:
    """1.4: the fingerprint is method, path …: the same body to another kind is another request."""
    customer = a_customer(client)
    request = a_request(customer=customer["id"])
    key = a_key()
    assert client.post("/billing/accounts", request, Idempotency_Key=key).status == 201
    for path in (CUSTOMERS, "/billing/bills"):
        answer = client.post(path, request, Idempotency_Key=key)
        assert (answer.status, answer.code) == (422, "idempotency_key_reused")


# Scope and age


@EVERY_NOUN
def test_a_key_belongs_to_a_merchant_and_a_mode(client: Client, live: Client, other: Client, noun: Noun) -> None:
    """1.4: scope: merchant and mode."""
    key, reference = a_key(), a_reference()
    more: Json = {} if noun.path == CUSTOMERS else {"customer": a_request()}
    request = noun.request(client, external_reference=reference, **more)
    answers = [caller.post(noun.path, request, Idempotency_Key=key) for caller in (client, live, other)]
    assert [(answer.status, is_replay(answer)) for answer in answers] == [(201, False)] * 3
    assert len({answer.json()["id"] for answer in answers}) == 3


def test_another_api_key_of_the_same_merchant_and_mode_replays(
    service: Service, client: Client, merchant: Merchant
) -> None:
    """1.4: scope: merchant and mode, not the API key."""
    second = service.client(service.key(merchant)["key"])
    key, request = a_key(), a_request()
    assert_replayed(
        client.post(CUSTOMERS, request, Idempotency_Key=key), second.post(CUSTOMERS, request, Idempotency_Key=key)
    )


@pytest.mark.parametrize(
    ("age", "forgotten"), [("23 hours 59 minutes", False), ("24 hours 1 second", True), ("9 days", True)]
)
def test_a_key_is_forgotten_after_24_hours(client: Client, database: Database, age: str, *, forgotten: bool) -> None:
    """1.4: keys are forgotten after 24 hours: the key then starts anew, for this request or another."""
    key, request = a_key(), a_request()
    client.post(CUSTOMERS, request, Idempotency_Key=key)
    database.execute("UPDATE answer SET recorded_at = now() - $2::text::interval WHERE key = $1", key, age)
    answer = client.post(CUSTOMERS, a_request(), Idempotency_Key=key)
    assert (answer.status, is_replay(answer)) == ((201, False) if forgotten else (422, False))


def test_a_key_that_started_anew_is_kept_again(client: Client, database: Database) -> None:
    key, request = a_key(), a_request()
    client.post(CUSTOMERS, request, Idempotency_Key=key)
    database.execute("UPDATE answer SET recorded_at = now() - interval '25 hours' WHERE key = $1", key)
    first = client.post(CUSTOMERS, request, Idempotency_Key=key)
    assert first.status == 409
    assert_replayed(first, client.post(CUSTOMERS, request, Idempotency_Key=key))


# Concurrency


@EVERY_NOUN
@pytest.mark.parametrize("workers", [1, 2])
def test_of_concurrent_requests_with_one_key_one_happens_and_the_others_replay_it(
    service: Service, two_workers: Service, client: Client, database: Database, noun: Noun, workers: int
) -> None:
    """1.4: the same key while the first is still running waits, and then replays; through one worker or two."""
    caller = (service if workers == 1 else two_workers).client(client.key)
    for _ in range(5):
        money: Json = {} if noun is BILL else {"currency": "ZAR", "balance": 1}
        key, request = a_key(), noun.request(client, **money)
        with ThreadPoolExecutor(10) as pool:
            answers = list(
                pool.map(lambda _, k=key, r=request: caller.post(noun.path, r, Idempotency_Key=k), range(10))
            )
        assert {answer.status for answer in answers} == {201}
        assert len({answer.body for answer in answers}) == 1
        assert sorted(is_replay(answer) for answer in answers) == [False] + [True] * 9
        assert database.value("SELECT count(*) FROM transfer WHERE obligation_id = $1", answers[0].json()["id"]) == 1
    caller.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_of_concurrent_payments_with_one_key_one_is_taken_and_the_others_replay_it(
    service: Service, two_workers: Service, client: Client, workers: int
) -> None:
    """1.4: exactly once, where money moves: what is owed falls by one payment."""
    caller = (service if workers == 1 else two_workers).client(client.key)
    customer, key = a_customer(client, currency="ZAR", balance=1000), a_key()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: pay(caller, 10, key=key, customer=customer["id"]), range(10)))
    assert {(answer.status, answer.body) for answer in answers} == {(201, answers[0].body)}
    assert sorted(is_replay(answer) for answer in answers) == [False] + [True] * 9
    assert client.get(at(customer)).json()["balance"] == 990
    caller.close()


def test_of_concurrent_requests_with_one_key_and_other_bodies_one_happens(client: Client, database: Database) -> None:
    """1.4: another fingerprint gets 422, also while the first is still running."""
    key, requests = a_key(), [a_request() for _ in range(10)]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda request: client.post(CUSTOMERS, request, Idempotency_Key=key), requests))
    assert sorted(answer.status for answer in answers) == [201] + [422] * 9
    references = [request["external_reference"] for request in requests]
    assert database.value("SELECT count(*) FROM customer WHERE external_reference = ANY ($1)", references) == 1


@pytest.mark.parametrize("kind", ["one worker", "two workers"])
def test_a_key_in_flight_waits_5_seconds_and_holds_up_nobody(
    service: Service, two_workers: Service, client: Client, database: Database, kind: str
) -> None:
    """1.4, 1.5: waits up to 5 s, then gets 409 `idempotency_key_in_use` with `Retry-After`; it holds up nobody else."""
    caller = (service if kind == "one worker" else two_workers).client(client.key)
    customer, key = a_customer(client), a_key()

    def change() -> Answer:
        return caller.patch(at(customer), {"name": "New"}, Idempotency_Key=key)

    with ThreadPoolExecutor(10) as pool:
        with database.locked(customer["id"]):
            same = [pool.submit(change)]
            database.wait_for_a_waiter()
            started = time.monotonic()
            same += [pool.submit(change) for _ in range(4)]  # through two workers any of them may be the first
            others = 0
            while sum(waiting.done() for waiting in same) < 4:
                before = time.monotonic()
                assert caller.post(CUSTOMERS, a_request(), Idempotency_Key=a_key()).status == 201
                assert caller.get(at(customer)).status == 200
                assert time.monotonic() - before < 1
                others += 1
            waited = time.monotonic() - started
            refused = [waiting for waiting in same if waiting.done()]
        answers = [waiting.result() for waiting in refused]
        (done,) = [waiting.result() for waiting in same if waiting not in refused]
    assert 4.5 < waited < 7
    assert others > 10
    assert {(answer.status, answer.code) for answer in answers} == {(409, "idempotency_key_in_use")}
    assert all(int(answer.header("Retry-After")) >= 0 for answer in answers)
    assert done.status == 200
    assert_replayed(done, change())
    caller.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_of_concurrent_voids_with_one_key_one_happens_and_the_others_replay_it(
    service: Service, two_workers: Service, client: Client, database: Database, workers: int
) -> None:
    """1.4: what a request did and its stored answer are one: no void is refused as the second of itself."""
    caller = (service if workers == 1 else two_workers).client(client.key)
    for _ in range(3):
        bill, headers = a_bill(client), {"Idempotency-Key": a_key()}
        path = f"{at(bill)}/void"
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _, p=path, h=headers: caller.send("POST", p, headers=h), range(8)))
        assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
        assert sorted(is_replay(answer) for answer in answers) == [False] + [True] * 7
        assert database.value("SELECT count(*) FROM transfer WHERE obligation_id = $1", bill["id"]) == 2
    caller.close()


@pytest.mark.parametrize("path", ["/billing/accounts", "/billing/bills"])
def test_a_child_that_waits_for_its_parent_holds_up_nobody(client: Client, database: Database, path: str) -> None:
    """1.4: it holds up nobody else: where one account waits for its customer, other accounts do not."""
    customer, key = a_customer(client), a_key()
    request = a_request(customer=customer["id"])
    if path == "/billing/bills":
        request |= {"currency": "ZAR", "amount_due": 5}
    with ThreadPoolExecutor(2) as pool:
        with database.locked(customer["id"]):
            waiting = pool.submit(client.post, path, request, Idempotency_Key=key)
            database.wait_for_a_waiter()
            started = time.monotonic()
            for _ in range(5):
                an_account(client)
                a_bill(client, account=a_request(customer=a_request()))
            assert time.monotonic() - started < 1
        assert waiting.result().status == 201
    assert_replayed(waiting.result(), client.post(path, request, Idempotency_Key=key))


def test_a_key_in_flight_is_replayed_to_those_who_waited(client: Client, database: Database) -> None:
    """1.4: the same key while the first is still running waits, and gets the first one's outcome."""
    customer, key = a_customer(client), a_key()

    def change() -> Answer:
        return client.patch(at(customer), {"name": "New"}, Idempotency_Key=key)

    with ThreadPoolExecutor(4) as pool:
        with database.locked(customer["id"]):
            first = pool.submit(change)
            database.wait_for_a_waiter()
            waiting = [pool.submit(change) for _ in range(3)]
        for answer in waiting:
            assert_replayed(first.result(), answer.result())
