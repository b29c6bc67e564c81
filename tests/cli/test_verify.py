"""`owed verify`, as an operator or an auditor runs it."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.cli.programs import json_of, owed_here
from tests.contract.client import Client
from tests.contract.samples import BILLS, CUSTOMERS
from tests.contract.service import Database, Merchant, Service

PAYMENTS = "/billing/payments"
OPEN = {"min_amount": 1, "max_amount": 100_000, "underpayment_allowed": True, "overpayment_allowed": True}

Verify = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def merchant(service: Service) -> Merchant:
    """A merchant with a bill that was paid in two parts."""
    merchant = service.merchant("Verified")
    client = service.client(merchant.keys["sk_test"])
    assert client.post(CUSTOMERS, {"external_reference": "C", "currency": "ZAR", "balance": 500}).status == 201
    bill = {"external_reference": "B", "customer": "C", "currency": "ZAR", "amount_due": 1000, "payment_rules": OPEN}
    assert client.post(BILLS, bill).status == 201
    pay(client, "one")
    pay(client, "two")
    return merchant


@pytest.fixture(scope="module")
def verify(service: Service, merchant: Merchant) -> Verify:
    """Verify the merchant's books."""

    def run(*arguments: str) -> CompletedProcess[str]:
        return owed_here(service.data_dir, "verify", "--merchant", merchant.id, *arguments)

    return run


def pay(client: Client, key: str) -> None:
    answer = client.post(PAYMENTS, {"bill": "B", "amount": 300, "currency": "ZAR"}, Idempotency_Key=key)
    assert answer.status == 201, answer.body


def test_it_tells_what_it_checked_and_gives_a_root(verify: Verify) -> None:
    done = verify("--settle", "0")
    *numbers, seconds, root = (line.split() for line in done.stdout.splitlines()[:6])

    assert numbers == [["merchants", "1"], ["obligations", "2"], ["transfers", "4"], ["payments", "2"]]
    assert (done.returncode, seconds[0], root[0]) == (0, "seconds", "root")
    assert done.stdout.splitlines()[6] == "All of it is as it was written."


def test_a_program_gets_json(verify: Verify) -> None:
    found = json_of(verify("--mode", "live", "--json"))

    assert list(found) == ["merchants", "obligations", "transfers", "payments", "seconds", "root"]
    assert list(found.values())[:4] == [1, 0, 0, 0]


def test_a_root_still_holds_after_more_was_written(verify: Verify, service: Service, merchant: Merchant) -> None:
    root = json_of(verify("--json", "--settle", "0"))["root"]
    pay(service.client(merchant.keys["sk_test"]), "three")

    found = json_of(verify("--json", "--settle", "0", "--expect", root))
    assert (found["transfers"], found["root"] == root) == (5, False)


def test_it_says_that_a_root_holds(verify: Verify) -> None:
    root = json_of(verify("--json"))["root"]
    done = verify("--expect", root)

    assert (done.returncode, done.stdout.splitlines()[-1], done.stderr) == (0, "The root given holds.", "")
    assert "The root given holds." not in verify().stdout


def test_a_root_of_other_books_does_not_hold_and_may_be_just_that(verify: Verify) -> None:
    root = json_of(verify("--json", "--settle", "0", "--mode", "live"))["root"]
    done = verify("--expect", root, "--mode", "test")

    assert (done.returncode, done.stdout) == (1, "")
    assert "or it is a root of other books (--merchant, --mode)" in done.stderr


def test_another_root_does_not_hold(verify: Verify) -> None:
    root = json_of(verify("--json"))["root"]
    other = root[:-1] + ("0" if root[-1] != "0" else "1")
    done = verify("--expect", other)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert root in done.stderr


def test_what_is_broken_is_one_line_that_names_it(
    verify: Verify, database: Database, service: Service, merchant: Merchant
) -> None:
    bill = service.client(merchant.keys["sk_test"]).get(f"{BILLS}/B").json()["id"]
    second = database.value("SELECT id FROM transfer WHERE obligation_id = $1 AND version = 2", bill)
    change = "UPDATE transfer SET amount = $2 WHERE id = $1"
    database.execute(change, second, -301)
    try:
        done, to_program = verify(), verify("--json")
    finally:
        database.execute(change, second, -300)

    wrong = "its total_after is 700, and with its amount, -301, it must be 699"
    sentence = f"merchant {merchant.id}, test, {bill}, version 2, {second}: {wrong}"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"owed: broken: {sentence}\n")
    assert (to_program.returncode, to_program.stderr) == (1, done.stderr)
    assert json.loads(to_program.stdout) == {"broken": sentence}


def test_it_is_right_while_the_service_writes(verify: Verify, service: Service, merchant: Merchant) -> None:
    client, over = service.client(merchant.keys["sk_test"]), threading.Event()

    def write() -> None:
        for number in range(1_000_000):
            if over.is_set():
                return
            client.post(CUSTOMERS, {"external_reference": f"C{number}", "currency": "ZAR", "balance": number})
            client.patch(f"{CUSTOMERS}/C", {"balance": number})

    writing = threading.Thread(target=write)
    writing.start()
    codes = [verify().returncode for _ in range(3)]
    over.set()
    writing.join()

    assert codes == [0, 0, 0]


def test_without_a_merchant_it_is_about_all(running_home: Path) -> None:
    for name in ("Acme", "Other"):
        assert owed_here(running_home, "merchants", "create", name).returncode == 0

    assert json_of(owed_here(running_home, "verify", "--json"))["merchants"] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["--merchant", "mer_unknown"], 1, "there is no merchant 'mer_unknown'"),
        (["--merchant", "\udcff"], 1, "there is no merchant"),
        (["--expect", "yesterday"], 2, "--expect is 'yesterday'"),
        (["--expect", f"2026-13-01T00:00:00.000000Z-{'0' * 64}"], 2, "--expect is"),
        (["--expect", f"2026-01-01T00:00:00.000000Z-{'0' * 63}"], 2, "expected a root as `owed verify` prints it"),
        (["--expect", f"9999-01-01T00:00:00.000000Z-{'0' * 64}"], 2, "its time is yet to come"),
        (["--expect", f"9999-01-01T00:00:00.000000Z-{'0' * 64}", "--json"], 2, "its time is yet to come"),
        (["--merchant", "mer_unknown", "--json"], 1, "there is no merchant 'mer_unknown'"),
        (["--database-url", "postgresql://127.0.0.1:1/none"], 1, "owed: nothing was verified: cannot connect to the"),
        (["--database-url", "postgresql://127.0.0.1:1/none", "--json"], 1, "owed: nothing was verified: cannot"),
    ],
)
def test_what_cannot_be_verified_is_one_line(
    arguments: list[str], code: int, complaint: str, running_home: Path
) -> None:
    done = owed_here(running_home, "verify", *arguments)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert complaint in done.stderr
