"""Settings: what a merchant decides for one mode (contract, section 5)."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from owed.core.outcomes import Code, Fault
from owed.core.state import Name
from owed.model.payment_rules import BillRules, DefaultRules
from owed.model.tenant_settings import SettingsRecord, TenantSettings
from owed.model.time_zones import time_zones
from tests.core.samples import DEFAULT_RULES, JANE, KEY, NOW, RULES, SECOND, Books, places, update_settings

BILL_RULES = BillRules(min_amount=5, underpayment_allowed=False, overpayment_allowed=True)


@pytest.fixture
def books() -> Books:
    """Books whose merchant has changed nothing yet."""
    return Books()


def test_a_new_merchant_starts_with_the_settings_of_the_contract() -> None:
    rules = {"min_amount": 1, "max_amount": 99_999_999, "underpayment_allowed": True, "overpayment_allowed": False}

    assert msgspec.to_builtins(TenantSettings()) == {
        "time_zone": "UTC",
        "require_idempotency_key": False,
        "payment_rules": {
            "customer": rules,
            "account": rules,
            "bill": {"min_amount": 1, "underpayment_allowed": True, "overpayment_allowed": False},
        },
        "payments_reduce_balance": True,
        "duplicate_minutes": 10,
    }


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({"time_zone": "Africa/Johannesburg"}, {"time_zone": "Africa/Johannesburg"}),
        ({"require_idempotency_key": True}, {"require_idempotency_key": True}),
        ({"payments_reduce_balance": False}, {"payments_reduce_balance": False}),
        ({"duplicate_minutes": 0}, {"duplicate_minutes": 0}),
        ({"payment_rules": {"customer": RULES}}, {"payment_rules": DefaultRules(customer=RULES)}),
        ({"payment_rules": {"account": RULES}}, {"payment_rules": DefaultRules(account=RULES)}),
        ({"payment_rules": {"bill": BILL_RULES}}, {"payment_rules": DefaultRules(bill=BILL_RULES)}),
        ({"payment_rules": {"customer": RULES, "bill": BILL_RULES}},
         {"payment_rules": DefaultRules(customer=RULES, bill=BILL_RULES)}),
    ],
)  # fmt: skip
def test_what_is_given_is_replaced_whole_and_all_the_rest_is_kept(
    books: Books, given: dict[str, Any], changed: dict[str, Any]
) -> None:
    record: SettingsRecord = books.done(update_settings(**given))

    assert record.settings == TenantSettings(**changed)
    assert record.version == 2


def test_one_change_builds_on_the_other(books: Books) -> None:
    books.done(update_settings(payment_rules={"bill": msgspec.structs.replace(BILL_RULES, max_amount=9)}))
    books.done(update_settings(time_zone="Asia/Kathmandu", payment_rules={"account": RULES}))
    record = books.done(update_settings(payment_rules={"bill": BILL_RULES}))

    rules = DefaultRules(account=RULES, bill=BILL_RULES)  # the maximum is gone with the rules that had it
    assert (record.settings, record.version) == (TenantSettings("Asia/Kathmandu", payment_rules=rules), 4)


@pytest.mark.parametrize(
    "nothing",
    [
        {},
        {"time_zone": "UTC"},
        {"require_idempotency_key": False},
        {"payments_reduce_balance": True, "duplicate_minutes": 10},
        {"payment_rules": {}},
        {"payment_rules": {"account": DEFAULT_RULES.account, "bill": DEFAULT_RULES.bill}},
    ],
)
def test_a_change_of_settings_that_changes_nothing_writes_nothing(books: Books, nothing: dict[str, Any]) -> None:
    before = books.kept()

    assert books.done(update_settings(actor=JANE, **nothing)).version == 1
    assert books.kept() == before


@pytest.mark.parametrize("actor", [KEY, JANE])
def test_who_changed_the_settings_is_always_kept_and_no_event_tells_of_it(books: Books, actor: Any) -> None:
    books.done(update_settings(actor=actor, time_zone="Asia/Kathmandu"))

    (words,) = books.state.attributions
    assert (words.actor, words.object_id, words.command) == (actor, "settings", "settings.update")
    assert (words.tenant_id, words.recorded_at, len(words.salt)) == (1, NOW, 16)
    assert (books.state.events, books.state.transfers) == ([], [])


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "africa/johannesburg", "", "UTC ", "+02:00", "../UTC", "UTC\0", "zones"]
)
def test_a_time_zone_is_one_of_iana(books: Books, zone: str) -> None:
    refusal = books.refused(update_settings(time_zone=zone))

    assert (refusal.code, places(refusal)) == (Code.INVALID_REQUEST, ["/time_zone"])


def test_every_time_zone_that_is_taken_can_be_used() -> None:
    assert {"UTC", "Africa/Johannesburg", "America/Argentina/ComodRivadavia", "Etc/GMT+12"} <= time_zones()
    assert all(ZoneInfo(name).utcoffset(NOW) is not None for name in time_zones())


def test_settings_are_stale_invalid_or_taken_in_the_order_of_the_contract(books: Books) -> None:
    stale, faults = frozenset({"9"}), (Fault("/payment_rules/bill/min_amount", "no"),)

    assert books.refused(update_settings(if_match=stale, faults=faults)).code == Code.PRECONDITION_FAILED
    refusal = books.refused(update_settings(faults=faults, time_zone="x"))
    assert places(refusal) == ["/payment_rules/bill/min_amount", "/time_zone"]
    assert books.done(update_settings(if_match=frozenset({"1"}), time_zone="Asia/Kathmandu")).version == 2


def test_each_tenant_has_settings_of_its_own(books: Books) -> None:
    books.state.settings.load(SettingsRecord(tenant_id=2, settings=TenantSettings(), updated_at=NOW))
    books.done(update_settings(tenant=2, time_zone="Asia/Kathmandu"))

    found = [books.state.settings.find(tenant, "settings") for tenant in (1, 2)]
    assert [record and record.settings.time_zone for record in found] == ["UTC", "Asia/Kathmandu"]


def test_the_settings_of_a_tenant_that_does_not_exist_are_not_found(books: Books) -> None:
    assert books.refused(update_settings(tenant=3, time_zone="UTC")).code == Code.NOT_FOUND


@pytest.mark.parametrize("step", [SECOND, -SECOND, timedelta(0)])
def test_settings_never_seem_updated_earlier_than_before(books: Books, step: timedelta) -> None:
    books.stamps.now += step

    assert books.done(update_settings(require_idempotency_key=True)).updated_at == max(NOW, NOW + step)


def test_a_change_of_settings_reads_them_and_takes_nothing() -> None:
    command = update_settings(tenant=7)

    assert (command.reads(), command.claims()) == ((Name("settings", 7, "settings"),), ())
