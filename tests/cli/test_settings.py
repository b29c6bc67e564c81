"""`owed settings`, beside a running service."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from subprocess import CompletedProcess
from typing import Final

import pytest

from tests.cli.programs import OWED, environment, json_of, owed, owed_here, wait_until
from tests.contract.client import Client, Json
from tests.contract.samples import CUSTOMERS, DEFAULT_RULES, RULES, SETTINGS, a_reference
from tests.contract.service import Database, Merchant, Service

Run = Callable[..., CompletedProcess[str]]

MEANWHILE: Final = """
    UPDATE tenant
       SET settings = '{"require_idempotency_key": true}', settings_version = settings_version + 1
     WHERE merchant_id = $1 AND mode = 'test'
"""


@pytest.fixture
def merchant(service: Service) -> Merchant:
    made = json_of(owed_here(service.data_dir, "merchants", "create", "Settled", "--json"))
    return Merchant(made["id"], made["name"], made["keys"])


@pytest.fixture
def client(service: Service, merchant: Merchant) -> Client:
    return service.client(merchant.keys["sk_test"])


@pytest.fixture
def settings(service: Service, merchant: Merchant) -> Run:
    """Run `owed settings …` for the merchant's test mode."""

    def run(*arguments: str, **environment: str) -> CompletedProcess[str]:
        where = ["--merchant", merchant.id, "--mode", "test"]
        return owed_here(service.data_dir, "settings", *arguments, *where, **environment)

    return run


def test_the_settings_are_shown_as_the_api_shows_them(settings: Run, client: Client) -> None:
    answer = client.get(SETTINGS)
    found = json_of(settings("show", "--json"))

    assert found.items() >= answer.json().items()
    assert (f'"{found["version"]}"', found["attributions"]) == (answer.etag, [])


def test_people_get_a_line_for_each_setting(settings: Run) -> None:
    done = settings("set", "--require-idempotency-key", LOGNAME="naledi")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]

    assert lines[:3] == [
        "time_zone UTC",
        "require_idempotency_key yes",
        "payment_rules.customer.min_amount 1 minor unit",
    ]
    assert lines[-3] == "Last changed by:"
    assert lines[-1].endswith("settings.update cli naledi")


def test_a_change_is_in_the_api_and_says_who_made_it(settings: Run, client: Client) -> None:
    change = ["--time-zone", "Africa/Johannesburg", "--reason", "Moved to Cape Town"]
    found = json_of(settings("set", *change, "--json", LOGNAME="naledi"))
    answer = client.get(SETTINGS)

    assert (found["time_zone"], found["version"], answer.json()["time_zone"]) == (change[1], 2, change[1])
    assert found["attributions"] == [
        {
            "recorded_at": found["updated_at"],
            "command": "settings.update",
            "key_id": "cli",
            "actor": "naledi",
            "reason": "Moved to Cape Town",
        }
    ]
    assert json_of(settings("show", "--json")) == found


def test_rules_are_replaced_whole_and_what_is_not_given_stays(settings: Run, client: Client) -> None:
    for_bills = {"min_amount": 5, "underpayment_allowed": False, "overpayment_allowed": True}
    json_of(settings("set", "--require-idempotency-key", "--customer-rules", json.dumps(RULES), "--json"))
    json_of(settings("set", "--no-require-idempotency-key", "--bill-rules", json.dumps(for_bills), "--json"))

    assert client.get(SETTINGS).json() == {
        "time_zone": "UTC",
        "require_idempotency_key": False,
        "payment_rules": {"customer": RULES, "account": DEFAULT_RULES, "bill": for_bills},
        "payments_reduce_balance": True,
        "duplicate_minutes": 10,
    }


def test_how_payments_count_is_set_too_and_its_bounds_are_kept(settings: Run, client: Client) -> None:
    change = ["--no-payments-reduce-balance", "--duplicate-minutes", "30"]
    found = json_of(settings("set", *change, "--json"))

    assert found.items() >= {"payments_reduce_balance": False, "duplicate_minutes": 30}.items()
    assert found.items() >= client.get(SETTINGS).json().items()
    assert settings("set", "--duplicate-minutes", "1441").returncode == 2


def test_the_other_mode_keeps_its_settings(settings: Run, service: Service, merchant: Merchant) -> None:
    live = service.client(merchant.keys["sk"])
    json_of(settings("set", "--time-zone", "Africa/Nairobi", "--json"))

    assert live.get(SETTINGS).json()["time_zone"] == "UTC"


def test_every_worker_notices_within_a_second(settings: Run, two_workers: Service, merchant: Merchant) -> None:
    callers = [two_workers.client(merchant.keys["sk_test"]) for _ in range(8)]
    assert [create(caller) for caller in callers] == [201] * 8
    json_of(settings("set", "--require-idempotency-key", "--json"))

    wait_until(lambda: {create(caller) for caller in callers} == {400}, seconds=1)


def create(client: Client) -> int:
    return client.post(CUSTOMERS, {"external_reference": a_reference()}).status


def test_what_changes_meanwhile_is_kept(
    service: Service, merchant: Merchant, database: Database, client: Client
) -> None:
    change = ["settings", "set", "--time-zone", "Africa/Nairobi", "--merchant", merchant.id, "--mode", "test"]
    with changing_meanwhile(database, merchant):
        process = subprocess.Popen([*OWED, *change], env=environment(service.data_dir), stdout=subprocess.DEVNULL)
    assert process.wait(30) == 0

    found: Json = client.get(SETTINGS).json()
    assert (found["time_zone"], found["require_idempotency_key"]) == ("Africa/Nairobi", True)


@contextmanager
def changing_meanwhile(database: Database, merchant: Merchant) -> Iterator[None]:
    """Change the settings in a transaction that ends once somebody waits for it."""
    database.execute("BEGIN")
    try:
        database.execute(MEANWHILE, merchant.id)
        yield
        wait_until(lambda: database.value("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0)
    finally:
        database.execute("COMMIT")


def test_what_stands_already_changes_nothing(settings: Run) -> None:
    found = json_of(settings("set", "--time-zone", "UTC", "--json"))

    assert (found["version"], found["attributions"]) == (1, [])


def test_a_login_name_that_cannot_be_printed_is_a_number(settings: Run) -> None:
    found = json_of(settings("set", "--require-idempotency-key", "--json", LOGNAME="bell\a"))

    assert found["attributions"][0]["actor"] == f"uid {os.getuid()}"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "there is nothing to change: give an option, such as --time-zone Africa/Johannesburg"),
        (["--time-zone", "Mars/Olympus"], "--time-zone: 'Mars/Olympus' is no time zone of IANA"),
        (["--time-zone", os.fsdecode(b"\xff")], r"--time-zone: '\udcff' is no time zone of IANA"),
        (["--time-zone", "Africa/Nairobi", "--reason", "two\nlines"], "--reason: this must be 1 to 255 printable"),
        (["--time-zone", "Africa/Nairobi", "--reason", os.fsdecode(b"\xff")], "--reason: this must be 1 to 255"),
        (["--account-rules", "{"], "--account-rules: this must be a JSON object, such as {"),
        (["--account-rules", "null"], "--account-rules: this must be a JSON object, such as {"),
        (["--account-rules", json.dumps(RULES | {"min_amount": 0})], "--account-rules, min_amount: this must be"),
        (["--bill-rules", '{"min_amount": 1}'], "--bill-rules, underpayment_allowed: this is required"),
    ],
)
def test_what_cannot_be_set_is_one_line(
    arguments: list[str], complaint: str, service: Service, other_merchant: Merchant
) -> None:
    where = ["--merchant", other_merchant.id, "--mode", "test"]
    done = owed_here(service.data_dir, "settings", "set", *arguments, *where)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"owed: {complaint}")


def test_every_option_that_is_wrong_is_named_and_nothing_is_changed(settings: Run, client: Client) -> None:
    wrong = ["--time-zone", "Mars", "--customer-rules", "7", "--reason", "\t"]
    done = settings("set", "--require-idempotency-key", *wrong)

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert all(f"{option}: " in done.stderr for option in wrong[::2])
    assert (client.get(SETTINGS).etag, client.get(SETTINGS).json()["require_idempotency_key"]) == ('"1"', False)


def test_a_process_of_its_own_does_the_same(service: Service, merchant: Merchant, client: Client) -> None:
    where = ["--merchant", merchant.id, "--mode", "test"]
    done = owed(service.data_dir, "settings", "set", "--time-zone", "Africa/Nairobi", *where)
    again = owed_here(service.data_dir, "settings", "show", *where)

    assert (done.returncode, done.stdout, done.stderr) == (0, again.stdout, "")
    assert client.get(SETTINGS).json()["time_zone"] == "Africa/Nairobi"
