"""4: POST /billing/bills/{bill}/void."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.client import JSON, MERGE_PATCH, Answer, Client, Json
from tests.contract.samples import (
    BILLS,
    RULES,
    a_bill,
    a_customer,
    a_key,
    a_reference,
    an_account,
    at,
    create_bill,
    events,
    refused,
    transfers,
)
from tests.contract.service import Database, Service

OVER = RULES | {"overpayment_allowed": True}
BOTH = pytest.mark.parametrize("media_type", [JSON, MERGE_PATCH])


def void(client: Client, bill: Json, **headers: str) -> Answer:
    """Void a bill with no body and no media type."""
    return client.send("POST", f"{at(bill)}/void", headers={name.replace("_", "-"): headers[name] for name in headers})


def void_with(client: Client, bill: Json, body: object, **headers: str) -> Answer:
    return client.post(f"{at(bill)}/void", body, **headers)


def a_voided_bill(client: Client, **members: object) -> Json:
    answer = void(client, a_bill(client, **members))
    assert answer.status == 200, answer.body
    bill: Json = answer.json()
    return bill


def test_a_void_changes_the_status_and_nothing_else(client: Client) -> None:
    """4: 200 with the bill: its `amount_remaining` stays."""
    bill = a_bill(client, due_date="2026-01-31", metadata={"a": "1"})
    answer = void(client, bill)
    assert (answer.status, answer.json()) == (200, bill | {"status": "voided"})
    got = client.get(at(bill))
    assert (got.json(), got.etag, got.header("Last-Modified")) == (
        answer.json(),
        answer.etag,
        answer.header("Last-Modified"),
    )


def test_a_void_takes_what_is_owed_out_of_the_ledger(client: Client, database: Database) -> None:
    """4, 6: its total in the ledger is 0: one transfer, from the receivable back to what was billed."""
    bill = a_voided_bill(client, amount_due=750, currency="USD")
    assert transfers(database, bill) == [
        ("bill_raised", "receivable", "billed", 750, 750, "USD"),
        ("void", "billed", "receivable", -750, 0, "USD"),
    ]
    assert (bill["amount_due"], bill["amount_paid"], bill["amount_remaining"]) == (750, 0, 750)


def test_a_void_raises_one_event(client: Client, database: Database) -> None:
    """7: `bill.voided` alone, also with metadata; its data shows the bill."""
    plain, described = a_bill(client), a_bill(client)
    after_plain = void(client, plain).json()
    after_described = void_with(client, described, {"metadata": {"why": "typo"}}).json()
    assert events(database, plain) == [("bill.created", plain), ("bill.voided", after_plain)]
    assert events(database, described) == [("bill.created", described), ("bill.voided", after_described)]


@pytest.mark.parametrize("body", [{}, {"metadata": None}, {"metadata": {}}])
def test_a_void_may_have_a_body_that_says_nothing(client: Client, body: Json) -> None:
    """4: no body, or `{"metadata": {…}}` and nothing else."""
    bill = a_bill(client, metadata={"a": "1"})
    answer = void_with(client, bill, body)
    assert (answer.status, answer.json()) == (200, bill | {"status": "voided"})


@pytest.mark.parametrize("headers", [{"Content-Length": "0"}, {"Content-Length": "0", "Content-Type": JSON}])
def test_a_body_of_no_bytes_is_no_body(client: Client, headers: dict[str, str]) -> None:
    """4: many a client names its media type even where it sends nothing."""
    bill = a_bill(client)
    assert client.send("POST", f"{at(bill)}/void", b"", headers).json() == bill | {"status": "voided"}


def test_a_void_merges_its_metadata(client: Client) -> None:
    """1.7: what it brings is merged with what stands."""
    bill = a_bill(client, metadata={"a": "1", "b": "2"})
    answer = void_with(client, bill, {"metadata": {"b": "3", "c": "4"}})
    changed = bill | {"status": "voided", "metadata": {"a": "1", "b": "3", "c": "4"}}
    assert (answer.status, answer.json()) == (200, changed)
    assert client.get(at(bill)).json() == changed


def test_the_metadata_of_a_void_has_its_bounds(client: Client) -> None:
    """1.7: at most 20 keys after the merge; values are strings."""
    bill = a_bill(client, metadata={str(n): "x" for n in range(20)})
    refused(void_with(client, bill, {"metadata": {"one more": "x"}}), 400, "/metadata")
    refused(void_with(client, bill, {"metadata": {"0": 5, "k" * 41: "x"}}), 400, "/metadata/0", "/metadata/" + "k" * 41)
    refused(void_with(client, bill, {"metadata": []}), 400, "/metadata")
    assert client.get(at(bill)).json() == bill


@pytest.mark.parametrize(
    "member",
    [
        "id", "external_reference", "customer", "customer_id", "account_id", "status", "currency", "amount_due",
        "amount_paid", "amount_remaining", "bill_date", "due_date", "payment_rules", "reason", "name",
    ],
)  # fmt: skip
def test_a_void_has_no_other_member(client: Client, member: str) -> None:
    """4: `{"metadata": {…}}` and nothing else: not even what the bill is sent back with."""
    bill = a_bill(client, due_date="2026-01-31")
    for value in (bill.get(member, "x"), None):
        refused(void_with(client, bill, {member: value, "metadata": {"a": "1"}}), 400, f"/{member}")
    assert client.get(at(bill)).json() == bill


@pytest.mark.parametrize(
    "body", [b"{", b"null", b"[]", b'"x"', b"5", b"void", b"\xff", b'{"metadata":{},"metadata":{}}']
)
def test_a_void_with_another_body_is_400(client: Client, body: bytes) -> None:
    """1.5: malformed JSON, or no object."""
    bill = a_bill(client)
    answer = void_with(client, bill, body)
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert client.get(at(bill)).json() == bill


@pytest.mark.parametrize("media_type", ["", "text/plain", MERGE_PATCH, "application/x-www-form-urlencoded"])
def test_a_body_has_a_media_type(client: Client, media_type: str) -> None:
    """1.1: a body with no media type, or another one, is 415."""
    bill = a_bill(client)
    answer = void_with(client, bill, {"metadata": {"a": "1"}}, Content_Type=media_type)
    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert client.get(at(bill)).json() == bill


@pytest.mark.parametrize("on", ["customer", "account"])
def test_a_bill_is_voided_by_its_reference(client: Client, on: str) -> None:
    """1.3: a path parameter takes either the id or the external reference."""
    bill = a_bill(client, **{on: an_account(client)["id"] if on == "account" else a_customer(client)["id"]})
    answer = client.send("POST", f"{BILLS}/{bill['external_reference']}/void")
    assert (answer.status, answer.json()) == (200, bill | {"status": "voided"})


# What cannot be voided


@pytest.mark.parametrize("body", [None, {}, {"metadata": {"a": "1"}}])
def test_voiding_twice_is_409(client: Client, database: Database, body: Json | None) -> None:
    """4: voiding twice is 409."""
    bill = a_voided_bill(client)
    answer = void(client, bill) if body is None else void_with(client, bill, body)
    assert (answer.status, answer.code) == (409, "conflict")
    assert client.get(at(bill)).json() == bill
    assert (len(events(database, bill)), len(transfers(database, bill))) == (2, 2)


@pytest.mark.parametrize("amount_paid", [1, 999, 1000, 1500])
def test_a_bill_with_money_on_it_is_not_voided(client: Client, database: Database, amount_paid: int) -> None:
    """4: a bill with money on it must be refunded or corrected first (409)."""
    bill = a_bill(client, payment_rules=OVER)
    paid = client.patch(at(bill), {"amount_paid": amount_paid}).json()
    for answer in (void(client, bill), void_with(client, bill, {"metadata": {"a": "1"}})):
        assert (answer.status, answer.code) == (409, "conflict")
    assert client.get(at(bill)).json() == paid
    assert transfers(database, bill)[-1][0] == "correction"
    client.patch(at(bill), {"amount_paid": 0})
    assert void(client, bill).json() == bill | {"status": "voided"}
    assert transfers(database, bill)[-1] == ("void", "billed", "receivable", -1000, 0, "ZAR")


def test_a_faulty_void_is_400_before_the_state_counts(client: Client) -> None:
    """1.1: validation, then state."""
    paid = client.patch(at(a_bill(client)), {"amount_paid": 1000}).json()
    for bill in (paid, a_voided_bill(client)):
        refused(void_with(client, bill, {"reason": "typo"}), 400, "/reason")
        refused(void_with(client, bill, {"metadata": {"a": 1}}), 400, "/metadata/a")


@pytest.mark.parametrize("body", [None, {}, {"reason": "typo"}])
def test_a_void_of_nothing_is_404(client: Client, body: Json | None) -> None:
    """1.1: the path's object comes before validation."""
    for name in (a_reference(), "bill_0000000000000000000000", a_customer(client)["id"], "a%20b"):
        path = f"{BILLS}/{name}/void"
        answer = client.send("POST", path) if body is None else client.post(path, body)
        assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize("name", ["id", "external_reference"])
def test_another_merchants_or_modes_bill_is_not_voided(client: Client, live: Client, other: Client, name: str) -> None:
    bill = a_bill(client)
    for stranger in (live, other):
        assert stranger.send("POST", f"{BILLS}/{bill[name]}/void").status == 404
    assert client.get(at(bill)).json() == bill


# After it


@pytest.mark.parametrize(
    "change",
    [
        {}, {"amount_paid": 0}, {"amount_paid": 500}, {"amount_paid": 1000}, {"currency": "ZAR"}, {"currency": "USD"},
        {"due_date": "2027-01-01"}, {"due_date": "2026-01-31"}, {"payment_rules": RULES}, {"metadata": {"b": "2"}},
        {"metadata": {}}, {"status": "voided"}, {"status": "unpaid"}, {"amount_remaining": 1000},
    ],
)  # fmt: skip
@BOTH
def test_a_voided_bill_is_never_changed(client: Client, database: Database, change: Json, media_type: str) -> None:
    """4: a voided bill can be neither paid nor changed: a PATCH of any kind is 409."""
    bill = a_voided_bill(client, due_date="2026-01-31", metadata={"a": "1"})
    answer = client.patch(at(bill), change, Content_Type=media_type)
    assert (answer.status, answer.code) == (409, "conflict")
    assert client.get(at(bill)).json() == bill
    assert [kind for kind, _ in events(database, bill)] == ["bill.created", "bill.voided"]


@BOTH
def test_a_voided_bill_that_is_sent_back_whole_is_409(client: Client, media_type: str) -> None:
    bill = a_voided_bill(client, account=an_account(client)["id"], due_date="2026-01-31", metadata={"a": "1"})
    answer = client.patch(at(bill), bill, Content_Type=media_type)
    assert (answer.status, answer.code) == (409, "conflict")
    assert client.get(at(bill)).json() == bill


def test_clearing_a_member_of_a_voided_bill_is_409(client: Client) -> None:
    bill = a_voided_bill(client, due_date="2026-01-31", metadata={"a": "1"})
    for change in ({"due_date": None}, {"payment_rules": None}, {"metadata": {"a": None}}):
        assert client.merge(at(bill), change).status == 409
    assert client.get(at(bill)).json() == bill


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"amount_paid": -1}, "/amount_paid"),
        ({"amount_paid": 1001}, "/amount_paid"),
        ({"amount_due": 5}, "/amount_due"),
        ({"due_date": "2025-02-30"}, "/due_date"),
        ({"currency": "ZZZ"}, "/currency"),
        ({"wrong": 1}, "/wrong"),
    ],
)
def test_a_faulty_patch_of_a_voided_bill_is_400(client: Client, change: Json, pointer: str) -> None:
    """1.1: validation, then state."""
    refused(client.patch(at(a_voided_bill(client)), change), 400, pointer)


def test_a_voided_bill_stays_in_every_retrieve(client: Client) -> None:
    """4: a void cannot be undone, and hides nothing."""
    bill = a_voided_bill(client)
    assert client.get(f"{BILLS}/{bill['external_reference']}").json() == bill
    again = create_bill(client, external_reference=bill["external_reference"])
    refused(again, 409, "/external_reference")


# Conditions, keys, words


def test_a_void_takes_if_match(client: Client, database: Database) -> None:
    """1.1: 412 where it is stale, before validation and state."""
    created = create_bill(client)
    bill = created.json()
    current = client.patch(at(bill), {"due_date": "2026-01-31"})
    assert void(client, bill, If_Match=created.etag).code == "precondition_failed"
    assert void_with(client, bill, {"reason": "typo"}, If_Match=created.etag).status == 412
    assert client.get(at(bill)).json() == current.json()
    voided = void(client, bill, If_Match=current.etag)
    assert (voided.status, voided.json()["status"]) == (200, "voided")
    assert voided.etag not in (current.etag, created.etag)
    assert void(client, bill, If_Match=current.etag).status == 412
    assert void(client, bill, If_Match=voided.etag).status == 409
    assert client.patch(at(bill), {}, If_Match=current.etag).status == 412
    assert len(transfers(database, bill)) == 2


def test_a_retry_with_its_key_is_the_first_void_again(client: Client, database: Database) -> None:
    """1.4: where a key is given it always counts, on a request with no body too."""
    bill, key = a_bill(client), a_key()
    first, second = (void(client, bill, Idempotency_Key=key) for _ in range(2))
    assert (first.status, second.status, second.body, second.etag) == (200, 200, first.body, first.etag)
    assert second.header("Idempotent-Replayed") == "true"
    assert len(events(database, bill)) == 2
    other = void_with(client, bill, {"metadata": {"a": "1"}}, Idempotency_Key=key)
    assert (other.status, other.code) == (422, "idempotency_key_reused")


def test_of_concurrent_voids_exactly_one_is_done(client: Client, two_workers: Service, database: Database) -> None:
    caller, bill = two_workers.client(client.key), a_bill(client)
    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(lambda _: void(caller, bill).status, range(10)))
    caller.close()
    assert sorted(statuses) == [200] + [409] * 9
    assert [row[0] for row in transfers(database, bill)] == ["bill_raised", "void"]


def test_a_payment_and_a_void_at_the_same_moment_never_both_stand(client: Client, database: Database) -> None:
    """4: whichever comes first, the other is refused."""
    bills = [a_bill(client) for _ in range(15)]

    def settle(bill: Json) -> int:
        return client.patch(at(bill), {"amount_paid": 1000}).status

    with ThreadPoolExecutor(10) as pool:
        pairs = [(pool.submit(settle, bill), pool.submit(void, client, bill)) for bill in bills]
        statuses = [{paid.result(), voided.result().status} for paid, voided in pairs]
    assert statuses == [{200, 409}] * 15
    for bill in bills:
        assert transfers(database, bill)[-1][4] == 0
        assert client.get(at(bill)).json()["status"] in ("paid", "voided")


def test_who_voided_a_bill_and_why_is_recorded(client: Client, database: Database) -> None:
    """1.8: recorded with every transfer and in the audit log."""
    bill = a_bill(client)
    void(client, bill, Owed_Actor="mary@acme", Owed_Reason="Billed twice")
    recorded = """SELECT transfer.cause, actor, reason FROM attribution
                    JOIN transfer ON transfer.attribution_id = attribution.id WHERE object_id = $1"""
    assert [tuple(row) for row in database.rows(recorded, bill["id"])] == [("void", "mary@acme", "Billed twice")]


def test_another_method_is_405(client: Client) -> None:
    """1.5: 405 with `Allow`; a word that is no action is 404."""
    bill = a_bill(client)
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        answer = client.send(method, f"{at(bill)}/void", b"{}", {"Content-Type": JSON})
        assert (answer.status, answer.code, answer.header("Allow")) == (405, "method_not_allowed", "POST")
    assert client.send("POST", f"{at(bill)}/avoid").status == 404
    assert client.get(at(bill)).json() == bill
