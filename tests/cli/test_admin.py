"""Merchants, keys and migrations from the command line."""

from pathlib import Path

import pytest

from tests.cli.programs import is_stopped, owed, owed_json


def test_a_new_merchant_is_shown_with_its_four_keys(running_home: Path) -> None:
    merchant = owed_json(running_home, "merchants", "create", "Acme Water")

    assert (list(merchant), merchant["name"], merchant["id"][:4]) == (["id", "name", "keys"], "Acme Water", "mer_")
    assert [(name, key.startswith(f"{name}_")) for name, key in merchant["keys"].items()] == [
        ("sk_test", True),
        ("pk_test", True),
        ("sk", True),
        ("pk", True),
    ]


def test_merchants_are_listed(running_home: Path) -> None:
    merchant = owed_json(running_home, "merchants", "create", "Listed")
    listed = owed_json(running_home, "merchants", "list")

    assert (merchant["id"], "Listed") in [(each["id"], each["name"]) for each in listed]


def test_a_further_key_has_a_name_and_an_expiry_in_utc(running_home: Path) -> None:
    merchant = owed_json(running_home, "merchants", "create", "Acme")["id"]
    options = ["--mode", "live", "--type", "public", "--name", "till", "--expires-at", "2030-01-01T02:00:00+02:00"]
    key = owed_json(running_home, "keys", "create", "--merchant", merchant, *options)

    assert key.pop("id").startswith("key_")
    assert key.pop("key").startswith("pk_")
    assert key == {
        "merchant_id": merchant,
        "mode": "live",
        "type": "public",
        "name": "till",
        "expires_at": "2030-01-01T00:00:00Z",
    }


def test_keys_are_listed_with_all_but_the_key(running_home: Path) -> None:
    merchant = owed_json(running_home, "merchants", "create", "Acme")
    listed = owed_json(running_home, "keys", "list", "--merchant", merchant["id"])

    assert [list(key) for key in listed] == [
        ["id", "merchant_id", "mode", "type", "name", "last4", "created_at", "expires_at", "revoked_at", "last_used_at"]
    ] * 4
    assert {key["last4"] for key in listed} == {key[-4:] for key in merchant["keys"].values()}


def test_a_revoked_key_says_since_when(running_home: Path) -> None:
    merchant = owed_json(running_home, "merchants", "create", "Acme")["id"]
    key = owed_json(running_home, "keys", "list", "--merchant", merchant)[0]["id"]
    done = owed(running_home, "keys", "revoke", key)
    listed = owed_json(running_home, "keys", "list", "--merchant", merchant)

    assert (done.returncode, [each["id"] for each in listed if each["revoked_at"]]) == (0, [key])


@pytest.mark.parametrize("command", [["merchants", "list"], ["keys", "list"]])
def test_people_get_a_table_that_shows_ids_whole(running_home: Path, command: list[str]) -> None:
    merchant = owed_json(running_home, "merchants", "create", "For people")["id"]

    assert merchant in owed(running_home, *command).stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["keys", "revoke", "key_unknown"], "there is no key key_unknown"),
        (
            ["keys", "create", "--merchant", "mer_unknown", "--mode", "test", "--type", "secret"],
            "there is no merchant mer_unknown",
        ),
        (["merchants", "list", "--database-url", "postgresql://127.0.0.1:1/none"], "cannot connect to the database"),
        (["merchants", "list", "--database-url", "nonsense"], "cannot connect to the database"),
    ],
)
def test_what_cannot_be_done_is_one_line(running_home: Path, arguments: list[str], complaint: str) -> None:
    done = owed(running_home, *arguments)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert complaint in done.stderr


def test_an_expiry_that_is_no_time_is_one_line(running_home: Path) -> None:
    options = ["--merchant", "mer_x", "--mode", "test", "--type", "secret", "--expires-at", "tomorrow"]
    done = owed(running_home, "keys", "create", *options)

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_commands_work_without_a_running_server_and_leave_none_behind(home: Path) -> None:
    merchant = owed_json(home, "merchants", "create", "Early")["id"]

    assert ([each["id"] for each in owed_json(home, "merchants", "list")], is_stopped(home)) == ([merchant], True)


def test_migrate_says_what_it_did(home: Path) -> None:
    first, second = owed(home, "migrate"), owed(home, "migrate")

    assert first.stdout.startswith("applied 0001_")
    assert second.stdout == "The schema is up to date.\n"
