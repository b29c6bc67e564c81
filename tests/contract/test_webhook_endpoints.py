"""7: webhook endpoints: where a merchant is told what happened. Secrets are in test_webhook_secrets.py."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.contract.client import JSON, MERGE_PATCH, Client, Json
from tests.contract.endpoints import ENDPOINTS, NOBODY, an_endpoint, create_endpoint, delete_all, place, status
from tests.contract.samples import a_customer, a_key, moment, refused
from tests.contract.service import Database, Merchant, Service

PUBLIC = "https://93.184.215.14/hook"
"""A URL that live mode takes; it needs no name to be resolved."""

DEFAULT = ["obligation.amount_applied"]
EVERY_TYPE = [
    "obligation.amount_applied", "obligation.amount_reversed", "customer.created", "customer.updated",
    "account.created", "account.updated", "bill.created", "bill.updated", "bill.paid", "bill.voided",
]  # fmt: skip
ALWAYS = {"id", "url", "events", "enabled", "secret_id", "created_at", "updated_at"}


@pytest.fixture(scope="module")
def hooked(service: Service) -> Merchant:
    """A merchant whose endpoints only this module makes."""
    return service.merchant("Hooked")


@pytest.fixture(scope="module")
def owner(service: Service, hooked: Merchant) -> Client:
    return service.client(hooked.keys["sk_test"])


@pytest.fixture(scope="module")
def owner_live(service: Service, hooked: Merchant) -> Client:
    return service.client(hooked.keys["sk"])


@pytest.fixture(autouse=True)
def _no_endpoints_are_left(owner: Client) -> Iterator[None]:
    yield
    delete_all(owner)


def disabled(client: Client, **members: object) -> Json:
    """Create an endpoint and disable it, which must succeed."""
    answer = client.patch(place(an_endpoint(client, **members)), {"enabled": False})
    assert answer.status == 200, answer.body
    found: Json = answer.json()
    return found


# Creating


def test_a_new_endpoint_is_answered_with_all_that_it_has_and_its_secret(owner: Client) -> None:
    answer = create_endpoint(owner)
    made = answer.json()
    assert (answer.status, answer.media_type()) == (201, JSON)
    assert set(made) == ALWAYS | {"secret"}
    assert re.fullmatch("we_[A-Za-z0-9]{22}", made["id"])
    assert (made["url"], made["events"], made["enabled"]) == (NOBODY, DEFAULT, True)
    assert moment(made["created_at"]) == moment(made["updated_at"])
    assert (answer.header("Location"), answer.header("Last-Modified") != "") == (place(made), True)


def test_an_endpoint_shows_its_secret_once(owner: Client) -> None:
    answer = create_endpoint(owner, description="books", events=["bill.paid"])
    shown = {name: value for name, value in answer.json().items() if name != "secret"}
    again = owner.get(answer.header("Location"))
    assert (again.json(), again.etag) == (shown, answer.etag)
    assert owner.get(ENDPOINTS).json() == {"data": [shown]}
    assert set(owner.patch(place(shown), {"description": "x"}).json()) == ALWAYS | {"description"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"events": ["*"]}, {"events": ["*"]}),
        ({"events": EVERY_TYPE}, {"events": EVERY_TYPE}),
        ({"events": ["bill.paid", "bill.created"]}, {"events": ["bill.paid", "bill.created"]}),
        ({"events": None, "description": None, "enabled": None}, {}),
        ({"description": "x" * 255}, {"description": "x" * 255}),
        ({"enabled": False}, {"enabled": False, "disabled_reason": "requested"}),
        ({"id": None, "secret": None, "disabled_reason": None}, {}),
    ],
)
def test_an_endpoint_may_have(owner: Client, given: Json, expected: Json) -> None:
    made = an_endpoint(owner, **given)
    told = {"url": NOBODY, "events": DEFAULT, "enabled": True} | expected
    assert made == told | {name: made[name] for name in ("id", "secret_id", "created_at", "updated_at")}


@pytest.mark.parametrize(
    ("given", "pointers"),
    [
        ({"url": None}, ["/url"]),
        ({"url": 5}, ["/url"]),
        ({"url": ""}, ["/url"]),
        ({"url": "hook"}, ["/url"]),
        ({"url": "ftp://example.com/"}, ["/url"]),
        ({"url": "https://user:secret@example.com/"}, ["/url"]),
        ({"url": "https://10.0.0.1/"}, ["/url"]),
        ({"url": "https://169.254.169.254/latest/meta-data"}, ["/url"]),
        ({"url": f"https://example.com/{'x' * 2048}"}, ["/url"]),
        ({"events": []}, ["/events"]),
        ({"events": [*EVERY_TYPE, "bill.paid"]}, ["/events"]),
        ({"events": ["bill.paid"] * 80_000}, ["/events"]),
        ({"events": "*"}, ["/events"]),
        ({"events": {}}, ["/events"]),
        ({"events": ["bill.payed"]}, ["/events/0"]),
        ({"events": ["bill.paid", None, 5, "", "BILL.PAID"]}, ["/events/1", "/events/2", "/events/3", "/events/4"]),
        ({"events": ["bill.paid", "bill.voided", "bill.paid"]}, ["/events/2"]),
        ({"events": ["*", "*"]}, ["/events/0", "/events/1"]),
        ({"events": ["*", "bill.paid"]}, ["/events/0"]),
        ({"description": "x" * 256}, ["/description"]),
        ({"description": 5}, ["/description"]),
        ({"enabled": "true"}, ["/enabled"]),
        ({"backlog": "resume"}, ["/backlog"]),
        ({"event": ["*"]}, ["/event"]),
        ({"id": "we_1"}, ["/id"]),
        ({"secret": "whsec_1"}, ["/secret"]),
        ({"secret_id": "sec_1", "created_at": "2026-01-01T00:00:00Z"}, ["/secret_id", "/created_at"]),
        ({"disabled_reason": "gone", "listener": True}, ["/disabled_reason", "/listener"]),
        ({"url": "http://10.0.0.1/", "events": ["x"], "enabled": 1}, ["/url", "/events/0", "/enabled"]),
    ],
)
def test_an_endpoint_may_not_have(owner: Client, given: Json, pointers: list[str]) -> None:
    """1.5: every fault found, not only the first."""
    refused(create_endpoint(owner, **given), 400, *pointers)
    assert owner.get(ENDPOINTS).json() == {"data": []}


def test_the_url_is_required(owner: Client) -> None:
    refused(owner.post(ENDPOINTS, {}), 400, "/url")


def test_an_unknown_type_is_answered_with_all_that_there_are(owner: Client) -> None:
    (fault,) = create_endpoint(owner, events=["bill.payed"]).json()["errors"]
    assert all(name in fault["detail"] for name in EVERY_TYPE)


@pytest.mark.parametrize("url", [NOBODY, "http://93.184.215.14/hook", "https://127.0.0.1/hook"])
def test_live_mode_takes_https_to_public_addresses_alone(owner: Client, owner_live: Client, url: str) -> None:
    refused(create_endpoint(owner_live, url=url), 400, "/url")
    assert an_endpoint(owner, url=url)["url"] == url


def test_a_tenant_has_a_hundred_endpoints_at_most(owner_live: Client) -> None:
    keys = [a_key() for _ in range(100)]
    made = [owner_live.post(ENDPOINTS, {"url": PUBLIC}, Idempotency_Key=key) for key in keys]
    assert {answer.status for answer in made} == {201}
    refused(create_endpoint(owner_live, url=PUBLIC), 409)
    again = owner_live.post(ENDPOINTS, {"url": PUBLIC}, Idempotency_Key=keys[-1])
    assert (again.status, again.body) == (201, made[-1].body)  # a retry makes no further one
    assert owner_live.send("DELETE", made[0].header("Location")).status == 204
    assert create_endpoint(owner_live, url=PUBLIC).status == 201
    delete_all(owner_live)


def test_a_retry_creates_one_endpoint_and_shows_the_same_secret(owner: Client) -> None:
    """1.4: the first answer is kept and replayed, byte for byte, with `Location` and `ETag`."""
    key, body = a_key(), {"url": NOBODY}
    first, second = (owner.post(ENDPOINTS, body, Idempotency_Key=key) for _ in range(2))
    assert (second.status, second.body, second.etag) == (201, first.body, first.etag)
    assert (second.header("Location"), second.header("Idempotent-Replayed")) == (first.header("Location"), "true")
    assert len(owner.get(ENDPOINTS).json()["data"]) == 1
    assert owner.post(ENDPOINTS, {"url": f"{NOBODY}2"}, Idempotency_Key=key).code == "idempotency_key_reused"


def test_a_refused_form_leaves_its_key_free(owner: Client) -> None:
    key = a_key()
    refused(owner.post(ENDPOINTS, {"url": "x"}, Idempotency_Key=key), 400, "/url")
    assert owner.post(ENDPOINTS, {"url": NOBODY}, Idempotency_Key=key).status == 201


# Who may see it


def test_an_endpoint_belongs_to_a_merchant_and_a_mode(owner: Client, owner_live: Client, other: Client) -> None:
    made = an_endpoint(owner)
    for stranger in (owner_live, other):
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/status"), ("GET", "/secrets")):
            refused(stranger.send(method, place(made) + path), 404)
        refused(stranger.patch(place(made), {"enabled": False}), 404)
        assert made["id"] not in stranger.get(ENDPOINTS).body.decode()
    assert owner.get(place(made)).json() == made


def test_endpoints_need_a_secret_key(public: Client, anonymous: Client) -> None:
    for path in (ENDPOINTS, f"{ENDPOINTS}/we_1", f"{ENDPOINTS}/we_1/secrets", f"{ENDPOINTS}/we_1/status"):
        assert (public.get(path).status, anonymous.get(path).status) == (403, 401)


@pytest.mark.parametrize("name", ["we_0", "x", "we_" + "0" * 300, "we_%00", "%F0%9F%92%A9", "verify"])
def test_what_is_no_endpoint_is_404(owner: Client, name: str) -> None:
    for path in ("", "/status", "/secrets", "/secrets/sec_1"):
        refused(owner.get(f"{ENDPOINTS}/{name}{path}"), 404)
    refused(owner.patch(f"{ENDPOINTS}/{name}", {"description": "x"}), 404)
    refused(owner.send("DELETE", f"{ENDPOINTS}/{name}"), 404)
    refused(owner.post(f"{ENDPOINTS}/{name}/rotate-secret", {}), 404)


# Listing


def test_endpoints_are_listed_newest_first_page_by_page(owner: Client) -> None:
    made = [an_endpoint(owner, description=str(number)) for number in range(5)]
    first = owner.get(f"{ENDPOINTS}?limit=2")
    second = owner.get(f"{ENDPOINTS}?limit=2&cursor={first.header('Next-Cursor')}")
    third = owner.get(f"{ENDPOINTS}?limit=2&cursor={second.header('Next-Cursor')}")
    assert [*first.json()["data"], *second.json()["data"], *third.json()["data"]] == made[::-1]
    assert (first.headers.get("Prev-Cursor"), third.headers.get("Next-Cursor")) == (None, None)
    back = owner.get(f"{ENDPOINTS}?limit=2&cursor={second.header('Prev-Cursor')}")
    assert back.json() == first.json()


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "cursor=x", "enabled=true", "created_after=2026-01-01T00:00:00Z"]
)
def test_a_list_of_endpoints_has_no_filters(owner: Client, query: str) -> None:
    refused(owner.get(f"{ENDPOINTS}?{query}"), 400, f"query: {query.partition('=')[0]}")


def test_an_endpoint_of_a_listener_is_shown_as_one(owner: Client, database: Database) -> None:
    made = an_endpoint(owner)
    database.execute("UPDATE webhook_endpoint SET is_listener = true WHERE id = $1", made["id"])
    assert owner.get(place(made)).json() == made | {"listener": True}
    assert owner.get(ENDPOINTS).json() == {"data": [made | {"listener": True}]}
    assert owner.patch(place(made), made | {"listener": True}).status == 200
    refused(owner.patch(place(made), {"listener": False}), 400, "/listener")


# Changing


@pytest.mark.parametrize("media_type", [JSON, MERGE_PATCH])
@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://127.0.0.1:9/other"},
        {"events": ["*"]},
        {"description": "ledger"},
        {"url": "http://127.0.0.1:9/other", "events": ["bill.paid"], "description": ""},
        {},
    ],
)
def test_only_what_is_given_changes(owner: Client, change: Json, media_type: str) -> None:
    made = an_endpoint(owner, description="books", events=["bill.created"])
    answer = owner.patch(place(made), change, Content_Type=media_type)
    changed = answer.json()
    assert (answer.status, changed) == (200, made | change | {"updated_at": changed["updated_at"]})
    again = owner.get(place(made))
    assert (again.json(), again.etag) == (changed, answer.etag)
    assert (changed == made) == (not change)


def test_null_clears_a_description_in_a_merge_patch_alone(owner: Client) -> None:
    """1.1: elsewhere null counts as not given."""
    made = an_endpoint(owner, description="books")
    assert owner.patch(place(made), {"description": None, "url": None}).json() == made
    assert "description" not in owner.merge(place(made), {"description": None}).json()


@pytest.mark.parametrize("member", ["url", "events", "enabled", "backlog", "id", "secret"])
def test_nothing_else_can_be_cleared(owner: Client, member: str) -> None:
    refused(owner.merge(place(an_endpoint(owner)), {member: None}), 400, f"/{member}")


@pytest.mark.parametrize(
    ("change", "status_code", "pointers"),
    [
        ({"url": "https://10.0.0.1/"}, 400, ["/url"]),
        ({"events": ["bill.paid", "bill.paid"], "enabled": "no"}, 400, ["/events/1", "/enabled"]),
        ({"description": "x" * 256, "note": 1}, 400, ["/description", "/note"]),
        ({"backlog": "drop"}, 400, ["/backlog"]),
        ({"id": "we_1", "created_at": "2026-01-01T00:00:00Z"}, 400, ["/id", "/created_at"]),
        ({"secret": "whsec_1"}, 400, ["/secret"]),
        ({"secret_id": "sec_1"}, 409, ["/secret_id"]),
        ({"disabled_reason": "gone", "updated_at": "2026-01-01T00:00:00Z"}, 409, ["/disabled_reason", "/updated_at"]),
        ([], 400, [""]),
    ],
)
def test_a_change_may_not_have(owner: Client, change: object, status_code: int, pointers: list[str]) -> None:
    made = an_endpoint(owner)
    refused(owner.patch(place(made), change), status_code, *pointers)
    assert owner.get(place(made)).json() == made


def test_an_endpoint_may_be_sent_back_as_it_was_got(owner: Client) -> None:
    """1.1: also where events are disabled, and where the URL that stands would not be taken any more."""
    made = disabled(owner, description="books")
    answer = owner.patch(place(made), made)
    assert (answer.status, answer.json()) == (200, made)


def test_a_url_that_stands_is_not_checked_again(owner: Client, database: Database) -> None:
    """Names come and go; whether it may be reached is asked again at each attempt."""
    made = disabled(owner)
    database.execute("UPDATE webhook_endpoint SET url = 'https://10.0.0.1/' WHERE id = $1", made["id"])
    stands = owner.get(place(made)).json()
    assert owner.patch(place(made), stands | {"description": "x"}).status == 200
    refused(owner.patch(place(made), {"url": "https://10.0.0.1/2"}), 400, "/url")


def test_a_change_is_meant_for_a_version(owner: Client) -> None:
    """1.1: `If-Match` on PATCH gives 412 when stale; `If-None-Match` gives 304."""
    created = create_endpoint(owner)
    path = created.header("Location")
    changed = owner.patch(path, {"description": "a"}, If_Match=created.etag)
    assert (changed.status, owner.patch(path, {"description": "b"}, If_Match=created.etag).status) == (200, 412)
    assert owner.get(path, If_None_Match=changed.etag).status == 304
    assert owner.get(path, If_None_Match=created.etag).json()["description"] == "a"


def test_of_many_changes_at_once_none_is_lost(owner: Client, two_workers: Service, hooked: Merchant) -> None:
    """Nor where several workers make them."""
    path, elsewhere = place(an_endpoint(owner)), two_workers.client(hooked.keys["sk_test"])

    def describe(number: int) -> int:
        return (owner, elsewhere)[number % 2].patch(path, {"description": str(number)}).status

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(describe, range(24))) == {200}
    assert owner.get(path).etag == '"25"'


def test_who_changed_an_endpoint_is_kept(owner: Client, database: Database) -> None:
    """1.8: recorded in the audit log."""
    made = an_endpoint(owner)
    owner.patch(place(made), {"enabled": False}, Owed_Actor="Jane", Owed_Reason="migration")
    owner.send("DELETE", place(made), headers={"Owed-Actor": "Joe"})
    rows = database.rows("SELECT command, actor, reason FROM attribution WHERE object_id = $1 ORDER BY id", made["id"])
    assert [tuple(row) for row in rows] == [
        ("webhook_endpoint.create", None, None),
        ("webhook_endpoint.update", "Jane", "migration"),
        ("webhook_endpoint.delete", "Joe", None),
    ]


# Disabling and enabling


def test_what_is_enabled_again_says_what_becomes_of_its_backlog(owner: Client) -> None:
    made = disabled(owner)
    assert made["disabled_reason"] == "requested"
    missing = owner.patch(place(made), {"enabled": True})
    refused(missing, 400, "/backlog")
    assert all(word in missing.json()["errors"][0]["detail"] for word in ("resume", "skip"))
    for backlog in ("resume", "skip"):
        enabled = owner.patch(place(made), {"enabled": True, "backlog": backlog}).json()
        assert (enabled["enabled"], "disabled_reason" in enabled, "backlog" in enabled) == (True, False, False)
        assert owner.patch(place(made), {"enabled": False}).status == 200


@pytest.mark.parametrize("change", [{}, {"enabled": True}, {"enabled": False}, {"description": "x"}])
def test_a_backlog_goes_with_enabling_alone(owner: Client, change: Json) -> None:
    refused(owner.patch(place(an_endpoint(owner)), change | {"backlog": "resume"}), 400, "/backlog")


@pytest.mark.parametrize("reason", ["gone", "failing"])
def test_an_endpoint_that_we_disabled_says_why_until_it_is_enabled(
    owner: Client, database: Database, reason: str
) -> None:
    made = an_endpoint(owner)
    database.execute(
        "UPDATE webhook_endpoint SET enabled = false, disabled_reason = $2, version = version + 1 WHERE id = $1",
        made["id"],
        reason,
    )
    found = owner.get(place(made)).json()
    assert found == made | {"enabled": False, "disabled_reason": reason}
    assert owner.patch(place(made), {"enabled": False}).json() == found
    enabled = owner.patch(place(made), {"enabled": True, "backlog": "resume"}).json()
    assert enabled == made | {"updated_at": enabled["updated_at"]}


def test_a_change_leaves_alone_how_far_delivery_has_come(owner: Client, database: Database) -> None:
    made = disabled(owner)
    theirs = "position, sequence, event_id, resumed_to, rests_until, seen_at, last_success_at, last_failure_at"
    database.execute(
        "UPDATE webhook_endpoint SET position = 7, sequence = 8, event_id = 'evt_9', rests_until = now(), "
        "seen_at = now(), last_success_at = now(), last_failure_at = now() WHERE id = $1",
        made["id"],
    )
    before = database.rows(f"SELECT {theirs} FROM webhook_endpoint WHERE id = $1", made["id"])
    owner.patch(place(made), {"description": "x"})
    owner.post(f"{place(made)}/rotate-secret", {})
    owner.send("DELETE", place(made))
    assert database.rows(f"SELECT {theirs} FROM webhook_endpoint WHERE id = $1", made["id"]) == before


# Deleting


def test_a_deleted_endpoint_is_gone(owner: Client) -> None:
    made = an_endpoint(owner)
    answer = owner.send("DELETE", place(made))
    assert (answer.status, answer.body, answer.headers.get("ETag"), answer.headers.get("Content-Type")) == (
        204, b"", None, None,
    )  # fmt: skip
    for path in ("", "/status", "/secrets", f"/secrets/{made['secret_id']}"):
        refused(owner.get(place(made) + path), 404)
    refused(owner.patch(place(made), {"description": "x"}), 404)
    refused(owner.send("DELETE", place(made)), 404)
    assert owner.get(ENDPOINTS).json() == {"data": []}


def test_a_deletion_is_meant_for_a_version(owner: Client) -> None:
    created = create_endpoint(owner)
    path = created.header("Location")
    owner.patch(path, {"description": "x"})
    assert owner.send("DELETE", path, headers={"If-Match": created.etag}).status == 412
    assert owner.send("DELETE", path, headers={"If-Match": owner.get(path).etag}).status == 204


def test_a_deletion_is_retried_under_its_key(owner: Client) -> None:
    path, headers = place(an_endpoint(owner)), {"Idempotency-Key": a_key()}
    first, second = (owner.send("DELETE", path, headers=headers) for _ in range(2))
    assert (first.status, second.status, second.body) == (204, 204, b"")
    assert second.header("Idempotent-Replayed") == "true"


@pytest.mark.parametrize(("body", "pointer"), [(b'{"force": true}', "/force"), (b"[]", ""), (b"x", "")])
def test_a_deletion_has_no_members(owner: Client, body: bytes, pointer: str) -> None:
    made = an_endpoint(owner)
    refused(owner.send("DELETE", place(made), body, {"Content-Type": JSON}), 400, pointer)
    assert owner.get(place(made)).status == 200


def test_a_method_that_there_is_not_is_405(owner: Client) -> None:
    made = an_endpoint(owner)
    assert owner.send("PUT", place(made)).header("Allow") == "DELETE, GET, HEAD, PATCH"
    assert owner.send("DELETE", ENDPOINTS).header("Allow") == "GET, HEAD, POST"


# How delivery comes along


def deliver(database: Database, endpoint: Json, number: int, **values: object) -> None:
    """Write what is still to be delivered to an endpoint, as the workers keep it."""
    columns = ", ".join(["tenant_id", "endpoint_id", "event_id", "lane", "position", "sequence", *values])
    places = "".join(f", ${number}" for number in range(3, len(values) + 3))
    database.execute(
        f"INSERT INTO delivery ({columns}) SELECT tenant_id, id, $2::text, $2, 1, 1{places} "
        "FROM webhook_endpoint WHERE id = $1",
        endpoint["id"],
        f"evt_{number}",
        *values.values(),
    )


def test_nothing_has_been_delivered_to_a_new_endpoint(owner: Client) -> None:
    assert status(owner, an_endpoint(owner)) == {"enabled": True, "pending": 0, "failed": 0}
    assert status(owner, disabled(owner)) == {"enabled": False, "pending": 0, "failed": 0}


def test_the_status_counts_what_is_pending_and_what_has_failed(owner: Client, database: Database) -> None:
    made, now = disabled(owner), datetime.now(UTC)
    for number in range(3):
        deliver(database, made, number, failed_at=now)
    for number in range(3, 8):
        deliver(database, made, number)
    assert status(owner, made) == {"enabled": False, "pending": 5, "failed": 3}


def test_the_status_counts_no_further_than_10000(owner: Client, database: Database) -> None:
    made = disabled(owner)
    database.execute(
        "INSERT INTO delivery (tenant_id, endpoint_id, event_id, lane, position, sequence, failed_at) "
        "SELECT tenant_id, id, 'evt_' || number, number, 1, 1, CASE WHEN number <= 10001 THEN now() END "
        "FROM webhook_endpoint CROSS JOIN generate_series(1, 21000) AS number WHERE id = $1",
        made["id"],
    )
    found = status(owner, made)
    database.execute("DELETE FROM delivery WHERE endpoint_id = $1", made["id"])
    assert found == {"enabled": False, "pending": 10_000, "failed": 10_000}


def test_the_status_of_a_disabled_endpoint_counts_what_it_would_get(owner: Client) -> None:
    """Of the types that it asks for, recorded since it began."""
    a_customer(owner)
    some, every = disabled(owner, events=["customer.updated"]), disabled(owner, events=["*"])
    customer = a_customer(owner)
    for name in ("a", "b"):
        owner.patch(f"/billing/customers/{customer['id']}", {"name": name})
    assert (status(owner, some)["pending"], status(owner, every)["pending"]) == (2, 3)
    owner.patch(place(every), {"enabled": True, "backlog": "skip"})
    owner.patch(place(every), {"enabled": False})
    assert status(owner, every)["pending"] == 0


def test_the_status_tells_when_it_goes_on(owner: Client, database: Database) -> None:
    made, now = an_endpoint(owner), datetime.now(UTC)
    hour, day = now + timedelta(hours=1), now + timedelta(days=1)
    deliver(database, made, 1, due_at=hour, retry_at=day, attempts=3)  # due earlier only to be set aside
    assert moment(status(owner, made)["next_attempt_at"]) == day
    deliver(database, made, 2, due_at=hour)
    assert moment(status(owner, made)["next_attempt_at"]) == hour
    database.execute(
        "UPDATE webhook_endpoint SET rests_until = $2, last_success_at = $3, last_failure_at = $4 WHERE id = $1",
        made["id"],
        day,
        now,
        hour,
    )
    found = status(owner, made)
    times = ("next_attempt_at", "resting_until", "last_success_at", "last_failure_at")
    assert [moment(found[name]) for name in times] == [day, day, now, hour]
    owner.patch(place(made), {"enabled": False})
    assert "next_attempt_at" not in status(owner, made)


def test_a_rest_that_is_over_is_not_told_of(owner: Client, database: Database) -> None:
    made = an_endpoint(owner)
    database.execute("UPDATE webhook_endpoint SET rests_until = now() WHERE id = $1", made["id"])
    assert "resting_until" not in status(owner, made)


@pytest.mark.parametrize("path", ["", "/status", "/secrets"])
def test_what_is_retrieved_takes_no_parameters(owner: Client, path: str) -> None:
    refused(owner.get(f"{place(an_endpoint(owner))}{path}?since=x"), 400, "query: since")


def test_a_retrieve_names_its_members_in_the_order_of_the_contract(owner: Client) -> None:
    made = disabled(owner, description="books")
    assert list(json.loads(owner.get(place(made)).body)) == [
        "id", "url", "events", "description", "enabled", "disabled_reason", "secret_id", "created_at", "updated_at",
    ]  # fmt: skip
