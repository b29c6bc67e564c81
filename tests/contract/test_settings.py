"""5: GET and PATCH /billing/settings, and what they govern."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from tests.contract.client import JSON, MERGE_PATCH, Answer, Client, Json
from tests.contract.samples import (
    ACCOUNTS,
    BILLS,
    CUSTOMERS,
    DEFAULT_RULES,
    EVERY_NOUN,
    RULES,
    SETTINGS,
    Noun,
    a_bill,
    a_customer,
    a_key,
    a_reference,
    a_request,
    an_account,
    at,
)
from tests.contract.service import Database, Merchant, Service

BILL_DEFAULTS = {name: value for name, value in DEFAULT_RULES.items() if name != "max_amount"}
NEW_SETTINGS: Json = {
    "time_zone": "UTC",
    "require_idempotency_key": False,
    "payment_rules": {"customer": DEFAULT_RULES, "account": DEFAULT_RULES, "bill": BILL_DEFAULTS},
    "payments_reduce_balance": True,
    "duplicate_minutes": 10,
}
OTHER_RULES = RULES | {"min_amount": 7, "max_amount": 7000, "underpayment_allowed": False, "overpayment_allowed": True}
EARLIEST, LATEST = "Etc/GMT+12", "Pacific/Kiritimati"
"""Two time zones that never have the same date: 26 hours lie between them."""

BOTH = pytest.mark.parametrize("media_type", [JSON, MERGE_PATCH])


@pytest.fixture(scope="module")
def settler(service: Service) -> Merchant:
    """A merchant whose settings only this module changes."""
    return service.merchant("Settled")


@pytest.fixture(scope="module")
def owner(service: Service, settler: Merchant) -> Client:
    return service.client(settler.keys["sk_test"])


@pytest.fixture(autouse=True)
def _settings_as_of_a_new_merchant(owner: Client) -> Iterator[None]:
    """Leave the settings to the next test as a new merchant has them."""
    yield
    assert owner.patch(SETTINGS, NEW_SETTINGS).json() == NEW_SETTINGS


def refused(answer: Answer, *pointers: str) -> None:
    assert (answer.status, answer.code) == (400, "invalid_request"), answer.body
    assert sorted(answer.pointers) == sorted(pointers), answer.body


def settle(client: Client, **members: object) -> Json:
    """Change settings, which must succeed, and return them."""
    answer = client.patch(SETTINGS, members)
    assert answer.status == 200, answer.body
    settings: Json = answer.json()
    return settings


def default_rules(client: Client, **rules: Json) -> Json:
    """Change the rules that new objects get."""
    return settle(client, payment_rules=rules)


# What they are


def test_a_new_merchant_starts_with_the_documented_settings(service: Service) -> None:
    """5: UTC, no key required, 1 to 99,999,999, under- but no overpayment; for bills the maximum starts unset."""
    merchant = service.merchant("Newcomer")
    for key in ("sk_test", "sk"):
        answer = service.client(merchant.keys[key]).get(SETTINGS)
        assert (answer.status, answer.media_type(), answer.json()) == (200, JSON, NEW_SETTINGS)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"time_zone": "Africa/Johannesburg"}, {"time_zone": "Africa/Johannesburg"}),
        ({"require_idempotency_key": True}, {"require_idempotency_key": True}),
        ({"payments_reduce_balance": False}, {"payments_reduce_balance": False}),
        ({"duplicate_minutes": 0}, {"duplicate_minutes": 0}),
        ({"duplicate_minutes": 1440}, {"duplicate_minutes": 1440}),
        (
            {"payment_rules": {"customer": OTHER_RULES}},
            {"payment_rules": NEW_SETTINGS["payment_rules"] | {"customer": OTHER_RULES}},
        ),
        (
            {"payment_rules": {"account": OTHER_RULES}},
            {"payment_rules": NEW_SETTINGS["payment_rules"] | {"account": OTHER_RULES}},
        ),
        (
            {"payment_rules": {"bill": OTHER_RULES}},
            {"payment_rules": NEW_SETTINGS["payment_rules"] | {"bill": OTHER_RULES}},
        ),
        ({"payment_rules": {}}, {}),
        ({}, {}),
    ],
)
@BOTH
def test_only_the_given_settings_change(owner: Client, change: Json, expected: Json, media_type: str) -> None:
    """5: each replaced whole and the others kept, in either media type."""
    answer = owner.patch(SETTINGS, change, Content_Type=media_type)
    assert (answer.status, answer.json()) == (200, NEW_SETTINGS | expected)
    assert owner.get(SETTINGS).json() == NEW_SETTINGS | expected


def test_settings_may_be_sent_back_as_they_were_got(owner: Client) -> None:
    """1.1: a client may send back what it got."""
    settle(owner, time_zone="Africa/Nairobi", payment_rules={"bill": OTHER_RULES})
    got = owner.get(SETTINGS)
    for media_type in (JSON, MERGE_PATCH):
        answer = owner.patch(SETTINGS, got.json(), Content_Type=media_type)
        assert (answer.status, answer.json(), answer.etag) == (200, got.json(), got.etag)


def test_a_set_of_rules_is_replaced_whole(owner: Client) -> None:
    """5: each replaced whole: a bill's maximum that is not given again is unset again."""
    assert default_rules(owner, bill=OTHER_RULES)["payment_rules"]["bill"] == OTHER_RULES
    assert default_rules(owner, bill=BILL_DEFAULTS)["payment_rules"]["bill"] == BILL_DEFAULTS
    with_null = BILL_DEFAULTS | {"max_amount": None}
    default_rules(owner, bill=OTHER_RULES)
    assert default_rules(owner, bill=with_null)["payment_rules"]["bill"] == BILL_DEFAULTS


def test_settings_belong_to_a_mode(owner: Client, service: Service, settler: Merchant) -> None:
    """5: per mode."""
    live = service.client(settler.keys["sk"])
    settle(owner, time_zone="Asia/Kathmandu", payment_rules={"customer": OTHER_RULES})
    assert live.get(SETTINGS).json() == NEW_SETTINGS
    assert a_customer(live)["payment_rules"] == DEFAULT_RULES
    settle(live, time_zone="America/Lima")
    assert owner.get(SETTINGS).json()["time_zone"] == "Asia/Kathmandu"
    settle(live, time_zone="UTC")


def test_settings_belong_to_a_merchant(owner: Client, other: Client) -> None:
    before = other.get(SETTINGS).json()
    settle(owner, time_zone="Asia/Kathmandu", payment_rules={"customer": OTHER_RULES})
    assert other.get(SETTINGS).json() == before
    assert a_customer(other)["payment_rules"] == DEFAULT_RULES


# What they may be


@pytest.mark.parametrize(
    "zone",
    [
        "UTC", "Africa/Johannesburg", "America/Argentina/Buenos_Aires", "America/Port-au-Prince", "Asia/Kathmandu",
        "Etc/GMT+12", "Etc/UTC", "Europe/London", "Pacific/Kiritimati", "US/Eastern",
    ],
)  # fmt: skip
def test_a_time_zone_may_be(owner: Client, zone: str) -> None:
    """5: `time_zone` (IANA)."""
    assert settle(owner, time_zone=zone)["time_zone"] == zone


@pytest.mark.parametrize(
    "zone",
    [
        "", " ", "Mars/Phobos", "SAST", "+02:00", "UTC+2", "GMT+2", "Africa", "Africa/", "/Africa/Johannesburg",
        "Africa/Johannesburg ", " UTC", "UTC\n", "Africa\\Johannesburg", "Africa/Johannesburg/x", "../UTC",
        "Africa/../UTC", "./UTC", "../../etc/passwd", "/etc/localtime", "tzdata.zi", "zone.tab", "leapseconds",
        "posixrules", "localtime", "posix/UTC", "right/UTC", "__init__.py", "Z", "é", "x" * 300, "x" * 100_000,
        "UTC, EST", "UTC+00", "CON", "%55TC", 0, 2, 1.5, True, [], ["UTC"], {},
    ],
)  # fmt: skip
@BOTH
def test_a_time_zone_may_not_be(owner: Client, zone: object, media_type: str) -> None:
    """5: `time_zone` (IANA): anything else is 400."""
    refused(owner.patch(SETTINGS, {"time_zone": zone}, Content_Type=media_type), "/time_zone")
    assert owner.get(SETTINGS).json() == NEW_SETTINGS


@pytest.mark.parametrize("value", [0, 1, "true", "", [], {}, 1.0])
def test_the_requirement_of_a_key_is_true_or_false(owner: Client, value: object) -> None:
    refused(owner.patch(SETTINGS, {"require_idempotency_key": value}), "/require_idempotency_key")


AMOUNTS, FLAGS = ("min_amount", "max_amount"), ("underpayment_allowed", "overpayment_allowed")
NO_AMOUNTS: tuple[object, ...] = (0, -1, 10**12, 1.0, 1e6, "1", True, [])
NO_FLAGS: tuple[object, ...] = (0, 1, "true", [], {})


@pytest.mark.parametrize("kind", ["customer", "account", "bill"])
@pytest.mark.parametrize(
    ("rules", "member"),
    [
        *((RULES | {member: value}, f"/{member}") for member, value in product(AMOUNTS, NO_AMOUNTS)),
        *((RULES | {member: value}, f"/{member}") for member, value in product(FLAGS, NO_FLAGS)),
        (RULES | {"min_amount": 101, "max_amount": 100}, "/max_amount"),
        (RULES | {"minimum": 1}, "/minimum"),
        (5, ""),
        ("rules", ""),
        ([], ""),
        ([RULES], ""),
    ],
)
def test_default_rules_obey_what_rules_obey(owner: Client, kind: str, rules: object, member: str) -> None:
    """5: `1 ≤ min_amount ≤ max_amount ≤ 999,999,999,999`, integers, and two booleans."""
    refused(owner.patch(SETTINGS, {"payment_rules": {kind: rules}}), f"/payment_rules/{kind}{member}")
    assert owner.get(SETTINGS).json() == NEW_SETTINGS


@pytest.mark.parametrize("kind", ["customer", "account", "bill"])
def test_default_rules_at_their_bounds(owner: Client, kind: str) -> None:
    for low, high in ((1, 1), (1, 999_999_999_999), (999_999_999_999, 999_999_999_999)):
        rules = RULES | {"min_amount": low, "max_amount": high}
        assert default_rules(owner, **{kind: rules})["payment_rules"][kind] == rules


@pytest.mark.parametrize("member", sorted(RULES))
@pytest.mark.parametrize("kind", ["customer", "account", "bill"])
def test_all_four_default_rules_are_required_together(owner: Client, kind: str, member: str) -> None:
    """5: all four members are required together; of a bill's, `max_amount` may be unset."""
    rules = {name: value for name, value in RULES.items() if name != member}
    for given in (rules, rules | {member: None}):
        answer = owner.patch(SETTINGS, {"payment_rules": {kind: given}})
        if (kind, member) == ("bill", "max_amount"):
            assert answer.json()["payment_rules"]["bill"] == rules
        else:
            refused(answer, f"/payment_rules/{kind}/{member}")


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"timezone": "UTC"}, ["/timezone"]),
        ({"payment_rules": {"payment": RULES}}, ["/payment_rules/payment"]),
        ({"payment_rules": RULES}, [f"/payment_rules/{member}" for member in RULES]),
        ({"payment_rules": []}, ["/payment_rules"]),
        ({"payment_rules": "none"}, ["/payment_rules"]),
        ({"id": "settings", "version": 1}, ["/id", "/version"]),
        (
            {"time_zone": 5, "require_idempotency_key": 5, "x": 5, "payment_rules": {"customer": 5, "bill": {}}},
            [
                "/time_zone", "/require_idempotency_key", "/x", "/payment_rules/customer",
                *(f"/payment_rules/bill/{member}" for member in BILL_DEFAULTS),
            ],
        ),
    ],
)  # fmt: skip
@BOTH
def test_what_is_no_setting_is_refused_by_name(
    owner: Client, change: Json, pointers: list[str], media_type: str
) -> None:
    """1.1: a request member that we do not know is refused by name; 1.5: every fault found."""
    refused(owner.patch(SETTINGS, change, Content_Type=media_type), *pointers)
    assert owner.get(SETTINGS).json() == NEW_SETTINGS


@pytest.mark.parametrize("value", [[], "settings", 5, True, None])
def test_settings_are_an_object(owner: Client, value: object) -> None:
    refused(owner.patch(SETTINGS, value), "")


def test_in_json_a_null_never_wipes_a_setting(owner: Client) -> None:
    """1.1: in `application/json` a member that is `null` counts as not given."""
    changed = settle(owner, time_zone="Africa/Nairobi", payment_rules={"customer": OTHER_RULES})
    for change in (
        dict.fromkeys(NEW_SETTINGS),
        {"time_zone": None, "payment_rules": {"customer": None, "account": None, "bill": None}},
    ):
        assert settle(owner, **change) == changed


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"time_zone": None}, "/time_zone"),
        ({"require_idempotency_key": None}, "/require_idempotency_key"),
        ({"payment_rules": {"customer": None}}, "/payment_rules/customer"),
        ({"payment_rules": {"bill": None}}, "/payment_rules/bill"),
    ],
)
def test_in_a_merge_patch_a_null_clears_no_setting(owner: Client, change: Json, pointer: str) -> None:
    """1.1: any other member refuses `null` (400): a setting always has a value."""
    refused(owner.merge(SETTINGS, change), pointer)
    assert owner.get(SETTINGS).json() == NEW_SETTINGS


@pytest.mark.parametrize(
    "body",
    [
        b'{"time_zone": "UTC", "time_zone": "UTC"}',
        b'{"payment_rules": {"bill": {}, "bill": {}}}',
        b'{"time_zone": "\\u0000"}',
        b'{"time_zone": "\\ud800"}',
        b'{"payment_rules": ' * 17 + b"{}" + b"}" * 17,
        b"{",
        b"",
        b"[" * 100_000,
        b'{"payment_rules": {"bill": {"min_amount": ' + b"9" * 5000 + b"}}}",
    ],
)
def test_a_broken_body_changes_no_setting(owner: Client, body: bytes) -> None:
    """1.1: nothing a client sends may cause a 500."""
    for media_type in (JSON, MERGE_PATCH):
        answer = owner.patch(SETTINGS, body, Content_Type=media_type)
        assert (answer.status, answer.code) == (400, "invalid_request")
    assert owner.get(SETTINGS).json() == NEW_SETTINGS


# As of any object


def test_settings_have_an_etag(owner: Client) -> None:
    """1.1: a strong `ETag`, which changes with the settings and with nothing else; `If-None-Match` gives 304."""
    before = owner.get(SETTINGS)
    assert owner.patch(SETTINGS, NEW_SETTINGS).etag == before.etag == owner.get(SETTINGS).etag
    unchanged = owner.get(SETTINGS, If_None_Match=before.etag)
    assert (unchanged.status, unchanged.body, unchanged.etag) == (304, b"", before.etag)
    changed = owner.patch(SETTINGS, {"time_zone": "Asia/Tokyo"})
    assert changed.etag != before.etag
    assert not changed.etag.startswith("W/")
    assert owner.get(SETTINGS).etag == changed.etag
    assert owner.get(SETTINGS, If_None_Match=before.etag).json()["time_zone"] == "Asia/Tokyo"


def test_a_stale_if_match_is_412_and_changes_nothing(owner: Client) -> None:
    """1.1: `If-Match` on PATCH gives 412 when stale; before validation."""
    first = owner.get(SETTINGS).etag
    second = owner.patch(SETTINGS, {"time_zone": "Asia/Tokyo"}, If_Match=first)
    assert second.status == 200
    for change in ({"time_zone": "Asia/Seoul"}, {"time_zone": 5}, {}):
        stale = owner.patch(SETTINGS, change, If_Match=first)
        assert (stale.status, stale.code) == (412, "precondition_failed")
    assert owner.get(SETTINGS).etag == second.etag


def test_of_concurrent_changes_of_one_version_exactly_one_wins(owner: Client) -> None:
    etag = owner.get(SETTINGS).etag
    zones = ["Asia/Tokyo", "Asia/Seoul", "Asia/Kathmandu", "Africa/Nairobi", "Europe/London", "America/Lima"]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda zone: owner.patch(SETTINGS, {"time_zone": zone}, If_Match=etag), zones))
    assert sorted(answer.status for answer in answers) == [200] + [412] * 5
    (winner,) = [answer for answer in answers if answer.status == 200]
    assert owner.get(SETTINGS).json() == winner.json()


def test_concurrent_changes_of_different_settings_are_all_kept(owner: Client, two_workers: Service) -> None:
    """5: the others kept, also while they change at the same moment through two workers."""
    caller = two_workers.client(owner.key)
    for number in range(1, 4):
        rules = RULES | {"min_amount": number}
        changes: list[Json] = [
            {"time_zone": ["Asia/Tokyo", "Asia/Seoul", "America/Lima"][number - 1]},
            {"payment_rules": {"customer": rules}},
            {"payment_rules": {"account": rules}},
            {"payment_rules": {"bill": rules}},
        ]
        with ThreadPoolExecutor(4) as pool:
            assert {answer.status for answer in pool.map(lambda c: caller.patch(SETTINGS, c), changes)} == {200}
        kept = owner.get(SETTINGS).json()
        assert kept["time_zone"] == changes[0]["time_zone"]
        assert kept["payment_rules"] == {"customer": rules, "account": rules, "bill": rules}
    caller.close()


def test_a_change_of_settings_is_replayed(owner: Client) -> None:
    """1.4: where a key is given it always counts, on PATCH too."""
    key = a_key()
    first = owner.patch(SETTINGS, {"time_zone": "Asia/Tokyo"}, Idempotency_Key=key)
    settle(owner, time_zone="Asia/Seoul")
    again = owner.patch(SETTINGS, {"time_zone": "Asia/Tokyo"}, Idempotency_Key=key)
    assert (again.status, again.body, again.etag) == (first.status, first.body, first.etag)
    assert again.header("Idempotent-Replayed") == "true"
    assert owner.get(SETTINGS).json()["time_zone"] == "Asia/Seoul"
    reused = owner.patch(SETTINGS, {"time_zone": "Asia/Seoul"}, Idempotency_Key=key)
    assert (reused.status, reused.code) == (422, "idempotency_key_reused")


def test_a_refused_change_leaves_the_key_free(owner: Client) -> None:
    key = a_key()
    assert owner.patch(SETTINGS, {"time_zone": "Mars/Phobos"}, Idempotency_Key=key).status == 400
    answer = owner.patch(SETTINGS, {"time_zone": "Asia/Tokyo"}, Idempotency_Key=key)
    assert (answer.status, answer.headers.get("Idempotent-Replayed")) == (200, None)


def test_a_change_of_settings_raises_no_event(owner: Client, database: Database) -> None:
    """7: there is no event of settings."""
    count = "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM transfer)"
    before = database.rows(count)
    settle(owner, time_zone="Asia/Tokyo", payment_rules={"customer": OTHER_RULES})
    assert database.rows(count) == before


def test_who_changed_the_settings_and_why_is_recorded(owner: Client, database: Database) -> None:
    """1.8: recorded with every transfer and in the audit log; a change of nothing is no change."""
    recorded = "SELECT actor, reason FROM attribution WHERE actor = $1"
    actor = a_reference()
    owner.patch(SETTINGS, NEW_SETTINGS, Owed_Actor=actor, Owed_Reason="no change")
    assert database.rows(recorded, actor) == []
    owner.patch(SETTINGS, {"time_zone": "Asia/Tokyo"}, Owed_Actor=actor, Owed_Reason="moved")
    assert [tuple(row) for row in database.rows(recorded, actor)] == [(actor, "moved")]
    refused(owner.patch(SETTINGS, {}, Owed_Actor="x" * 256), "header: Owed-Actor")


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("{}", {}),
        ('{"require_idempotency_key": true}', {"require_idempotency_key": True}),
        (
            json.dumps({"payment_rules": {"customer": OTHER_RULES}}),
            {"payment_rules": NEW_SETTINGS["payment_rules"] | {"customer": OTHER_RULES}},
        ),
    ],
)
def test_settings_that_were_stored_before_are_read(
    owner: Client, database: Database, settler: Merchant, stored: str, expected: Json
) -> None:
    """5: what was never set is as of a new merchant: before there was a way to set it, too."""
    statement = "UPDATE tenant SET settings = $2::text::json WHERE merchant_id = $1 AND mode = 'test'"
    database.execute(statement, settler.id, stored)
    deadline = time.monotonic() + 1.5
    while (settings := owner.get(SETTINGS).json()) != NEW_SETTINGS | expected and time.monotonic() < deadline:
        pass
    assert settings == NEW_SETTINGS | expected
    assert settle(owner, time_zone="Asia/Tokyo") == NEW_SETTINGS | expected | {"time_zone": "Asia/Tokyo"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_settings_are_neither_made_nor_deleted(owner: Client, method: str) -> None:
    """1.5: 405 with `Allow`."""
    answer = owner.send(method, SETTINGS, b"{}", {"Content-Type": JSON})
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert {name.strip() for name in answer.header("Allow").split(",")} == {"GET", "HEAD", "PATCH"}


def test_settings_need_a_secret_key(service: Service, settler: Merchant, anonymous: Client) -> None:
    """1.2: every operation in this file needs a secret key."""
    for kind in ("pk_test", "pk"):
        public = service.client(settler.keys[kind])
        for answer in (public.get(SETTINGS), public.patch(SETTINGS, {"time_zone": "Asia/Tokyo"})):
            assert (answer.status, answer.code) == (403, "forbidden")
    for answer in (anonymous.get(SETTINGS), anonymous.patch(SETTINGS, {"time_zone": "Asia/Tokyo"})):
        assert (answer.status, answer.code) == (401, "unauthorized")


def test_settings_take_no_query(owner: Client) -> None:
    """1.1: a query parameter that is unknown is 400."""
    refused(owner.get(f"{SETTINGS}?mode=live"), "query: mode")
    refused(owner.patch(f"{SETTINGS}?mode=live", {"time_zone": "Asia/Tokyo"}), "query: mode")
    assert owner.get(f"{SETTINGS}/time_zone").status == 404


# Default rules


def test_new_objects_get_the_rules_of_their_kind(owner: Client) -> None:
    """5: default rules for customers, accounts and bills; a new object gets them."""
    rules = {kind: RULES | {"min_amount": n} for n, kind in enumerate(("customer", "account", "bill"), 1)}
    default_rules(owner, **rules)
    assert a_customer(owner)["payment_rules"] == rules["customer"]
    assert an_account(owner)["payment_rules"] == rules["account"]
    assert a_bill(owner)["payment_rules"] == rules["bill"]


def test_new_objects_inside_another_get_the_rules_of_their_own_kind(owner: Client) -> None:
    rules = {kind: RULES | {"min_amount": n} for n, kind in enumerate(("customer", "account", "bill"), 1)}
    default_rules(owner, **rules)
    bill = a_bill(owner, account=a_request(customer=a_request()))
    assert bill["payment_rules"] == rules["bill"]
    assert owner.get(f"{ACCOUNTS}/{bill['account_id']}").json()["payment_rules"] == rules["account"]
    assert owner.get(f"{CUSTOMERS}/{bill['customer_id']}").json()["payment_rules"] == rules["customer"]


@EVERY_NOUN
def test_rules_of_its_own_win_over_the_default(owner: Client, noun: Noun) -> None:
    """5: a new object gets them unless the request gives its own; `null` gives none (1.1)."""
    default_rules(owner, **{noun.name: OTHER_RULES})
    assert noun.make(owner, payment_rules=RULES)["payment_rules"] == RULES
    assert noun.make(owner, payment_rules=None)["payment_rules"] == OTHER_RULES


@EVERY_NOUN
def test_existing_objects_keep_the_rules_that_they_have(owner: Client, noun: Noun) -> None:
    """5: existing objects keep the rules that they have."""
    before, bare = noun.make(owner), noun.make(owner)
    assert "payment_rules" not in owner.merge(at(bare), {"payment_rules": None}).json()
    etag = owner.get(at(before)).etag
    default_rules(owner, **{noun.name: OTHER_RULES})
    assert (owner.get(at(before)).json(), owner.get(at(before)).etag) == (before, etag)
    assert owner.patch(at(before), {"metadata": {"a": "b"}}).json()["payment_rules"] == before["payment_rules"]
    assert "payment_rules" not in owner.patch(at(bare), {"metadata": {"a": "b"}}).json()


@pytest.mark.parametrize("amount_due", [1, 100, 99_999_999])
def test_a_bills_default_maximum_is_its_amount_due(owner: Client, amount_due: int) -> None:
    """5: for bills `max_amount` starts unset, which means the bill's `amount_due`."""
    assert a_bill(owner, amount_due=amount_due)["payment_rules"] == BILL_DEFAULTS | {"max_amount": amount_due}


@pytest.mark.parametrize(
    ("defaults", "amount_due", "expected"),
    [
        ({"min_amount": 100}, 5000, (100, 5000)),
        ({"min_amount": 100}, 101, (100, 101)),
        ({"min_amount": 100}, 100, (100, 100)),
        ({"min_amount": 100}, 99, (99, 99)),
        ({"min_amount": 100}, 1, (1, 1)),
        ({"min_amount": 999_999_999_999}, 99_999_999, (99_999_999, 99_999_999)),
        ({"min_amount": 100, "max_amount": 1000}, 5000, (100, 1000)),
        ({"min_amount": 100, "max_amount": 1000}, 50, (50, 1000)),
        ({"min_amount": 1000, "max_amount": 1000}, 999, (999, 1000)),
        ({"min_amount": 1, "max_amount": 999_999_999_999}, 7, (1, 999_999_999_999)),
    ],
)
def test_a_bills_default_rules_fit_its_amount_due(
    owner: Client, defaults: Json, amount_due: int, expected: tuple[int, int]
) -> None:
    """5: a default `min_amount` above `amount_due` becomes `amount_due`; an unset maximum is `amount_due`."""
    default_rules(owner, bill=BILL_DEFAULTS | defaults)
    rules = a_bill(owner, amount_due=amount_due)["payment_rules"]
    assert rules == BILL_DEFAULTS | {"min_amount": expected[0], "max_amount": expected[1]}


def test_rules_that_a_bill_gives_itself_are_not_fitted(owner: Client) -> None:
    """5: it is a *default* minimum that becomes `amount_due`."""
    assert a_bill(owner, amount_due=5, payment_rules=RULES)["payment_rules"] == RULES


def test_a_bills_rules_need_all_four_though_the_default_does_not(owner: Client) -> None:
    """5: all four members are required together."""
    request = a_bill_request(customer=a_request(), payment_rules=BILL_DEFAULTS)
    refused(owner.post(BILLS, request), "/payment_rules/max_amount")
    refused(owner.patch(at(a_bill(owner)), {"payment_rules": BILL_DEFAULTS}), "/payment_rules/max_amount")


# The time zone


def dates(zone: str, make: Callable[[], str]) -> tuple[set[str], str]:
    """Return the dates that a zone had while something was made, and the one that it was given."""
    before = datetime.now(ZoneInfo(zone)).date().isoformat()
    made = make()
    return {before, datetime.now(ZoneInfo(zone)).date().isoformat()}, made


@pytest.mark.parametrize("zone", ["UTC", EARLIEST, LATEST, "Asia/Kathmandu"])
def test_the_time_zone_governs_the_date_of_a_bill(owner: Client, zone: str) -> None:
    """4, row `bill_date`: defaults to today, in the merchant's time zone."""
    settle(owner, time_zone=zone)
    possible, given = dates(zone, lambda: str(a_bill(owner)["bill_date"]))
    assert given in possible


def test_the_date_of_a_bill_is_another_in_another_zone_and_stays(owner: Client) -> None:
    settle(owner, time_zone=EARLIEST)
    early = a_bill(owner)
    settle(owner, time_zone=LATEST)
    late = a_bill(owner)
    assert date.fromisoformat(early["bill_date"]) < date.fromisoformat(late["bill_date"])
    assert owner.get(at(early)).json() == early
    assert owner.patch(at(early), {"metadata": {"a": "b"}}).json()["bill_date"] == early["bill_date"]


def test_the_time_zone_of_a_mode_is_its_own(owner: Client, service: Service, settler: Merchant) -> None:
    """5: per mode."""
    settle(owner, time_zone=LATEST)
    today = datetime.now(UTC).date().isoformat()
    assert today <= a_bill(service.client(settler.keys["sk"]))["bill_date"] <= datetime.now(UTC).date().isoformat()


def test_a_date_that_is_given_knows_no_time_zone(owner: Client) -> None:
    settle(owner, time_zone=LATEST)
    assert a_bill(owner, bill_date="2025-01-31", due_date="2025-02-28")["bill_date"] == "2025-01-31"


def test_the_time_zone_governs_what_is_overdue(owner: Client) -> None:
    """4: `overdue=true`: unpaid, `due_date` before today, which is the merchant's."""
    today = datetime.now(ZoneInfo(EARLIEST)).date().isoformat()
    bill = a_bill(owner, due_date=today)
    query = f"{BILLS}?overdue=true&external_reference={bill['external_reference']}"
    settle(owner, time_zone=LATEST)
    assert owner.get(query).json() == {"data": [bill]}
    settle(owner, time_zone=EARLIEST)
    if datetime.now(ZoneInfo(EARLIEST)).date().isoformat() == today:  # else midnight has just passed there
        assert owner.get(query).json() == {"data": []}


# The requirement of a key


def posts(client: Client) -> list[tuple[str, Json | bytes]]:
    """List a request for every POST that there is."""
    customer, bill = a_reference(), a_reference()
    owner = {"customer": {"external_reference": customer}}
    key = a_key()
    client.post(BILLS, a_bill_request(external_reference=bill, **owner), Idempotency_Key=key)
    named = {"customer": customer}
    return [
        (CUSTOMERS, a_request()),
        (ACCOUNTS, a_request(**named)),
        (ACCOUNTS, a_request(customer=a_request())),
        (BILLS, a_bill_request(**named)),
        (BILLS, a_bill_request(account=a_request(customer=a_request()))),
        (BILLS, a_bill_request(**named, account=a_request())),
        (f"{BILLS}/{bill}/void", {"metadata": {"why": "test"}}),
    ]


def a_bill_request(**members: object) -> Json:
    return a_request(**{"currency": "ZAR", "amount_due": 1000} | members)


@pytest.mark.parametrize("number", range(7))
def test_a_merchant_may_require_a_key_on_every_post(owner: Client, database: Database, number: int) -> None:
    """1.4: on other POSTs only if the merchant's settings say `require_idempotency_key`; then without one: 400."""
    path, request = posts(owner)[number]
    settle(owner, require_idempotency_key=True)
    counts = "SELECT (SELECT count(*) FROM customer), (SELECT count(*) FROM event), (SELECT count(*) FROM transfer)"
    before = database.rows(counts)
    refused(owner.post(path, request), "header: Idempotency-Key")
    assert database.rows(counts) == before
    answer = owner.post(path, request, Idempotency_Key=a_key())
    assert answer.status == (200 if path.endswith("/void") else 201), answer.body
    settle(owner, require_idempotency_key=False)


def test_a_void_with_no_body_needs_the_key_too(owner: Client) -> None:
    bill = a_bill(owner)
    settle(owner, require_idempotency_key=True)
    refused(owner.send("POST", f"{at(bill)}/void"), "header: Idempotency-Key")
    assert owner.get(at(bill)).json()["status"] == "unpaid"
    assert owner.send("POST", f"{at(bill)}/void", headers={"Idempotency-Key": a_key()}).json()["status"] == "voided"


def test_a_missing_key_comes_before_the_paths_object_and_validation(owner: Client) -> None:
    """1.1: the order of refusals: idempotency key, the path's object, validation, state."""
    settle(owner, require_idempotency_key=True)
    refused(owner.send("POST", f"{BILLS}/{a_reference()}/void"), "header: Idempotency-Key")
    refused(owner.post(ACCOUNTS, {"name": 5}), "header: Idempotency-Key")
    refused(owner.post(BILLS, a_bill_request(customer="nobody")), "header: Idempotency-Key")


def test_a_key_is_never_required_on_patch_or_get(owner: Client) -> None:
    """1.4: required on POSTs."""
    things = [a_customer(owner), an_account(owner), a_bill(owner)]
    settle(owner, require_idempotency_key=True)
    for thing in things:
        assert owner.patch(at(thing), {"metadata": {"a": "b"}}).status == 200
        assert owner.get(at(thing)).status == 200
    assert settle(owner, require_idempotency_key=False)["require_idempotency_key"] is False
    assert owner.post(CUSTOMERS, a_request()).status == 201


# When they are in force


def test_a_change_is_in_force_for_the_next_request_of_the_same_client(owner: Client) -> None:
    """5: what a client has seen changed holds for what it asks next, every time."""
    for number in range(1, 11):
        rules = RULES | {"min_amount": number}
        default_rules(owner, customer=rules)
        assert a_customer(owner)["payment_rules"] == rules
        assert owner.get(SETTINGS).json()["payment_rules"]["customer"] == rules
        settle(owner, require_idempotency_key=True)
        assert owner.post(CUSTOMERS, a_request()).status == 400
        settle(owner, require_idempotency_key=False)
        assert owner.post(CUSTOMERS, a_request()).status == 201


def test_a_change_is_in_force_on_every_worker_within_a_second(owner: Client, two_workers: Service) -> None:
    """1.2, 5: as of a key, so of settings: every worker follows within a second."""
    workers = [owner, *(two_workers.client(owner.key) for _ in range(6))]
    for number in range(1, 4):
        rules = RULES | {"min_amount": number}
        for worker in workers:
            assert worker.get(SETTINGS).status == 200
        default_rules(workers[number], customer=rules)
        changed_at = time.monotonic()
        for worker in workers:
            while a_customer(worker)["payment_rules"] != rules:
                assert time.monotonic() - changed_at < 1.5, "half a second beyond what is promised, for a busy machine"
            assert worker.get(SETTINGS).json()["payment_rules"]["customer"] == rules
    for worker in workers[1:]:
        worker.close()


def test_settings_are_those_of_the_moment_a_kept_answer_was_decided(owner: Client) -> None:
    """1.4: a replay is the first answer, whatever the settings are by then."""
    key, request = a_key(), a_bill_request(customer=a_request())
    first = owner.post(BILLS, request, Idempotency_Key=key)
    settle(owner, time_zone=LATEST, require_idempotency_key=True, payment_rules={"bill": OTHER_RULES})
    again = owner.post(BILLS, request, Idempotency_Key=key)
    assert (again.status, again.body) == (201, first.body)
    assert json.loads(again.body)["payment_rules"] == BILL_DEFAULTS | {"max_amount": 1000}


@pytest.mark.parametrize("media_type", [JSON, MERGE_PATCH])
def test_no_number_of_faults_is_too_much_for_it(owner: Client, media_type: str) -> None:
    """1.1: nothing a client sends may cause a 500."""
    body: Json = {f"m{number}": number for number in range(1001)} | {"payment_rules": {"bill": {}}}
    assert owner.patch(SETTINGS, body, Content_Type=media_type).code == "invalid_request"
