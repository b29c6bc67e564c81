"""3: POST /billing/accounts, and every row of the table of members."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.client import JSON, MERGE_PATCH, Client, Json
from tests.contract.samples import (
    ACCOUNT,
    ACCOUNTS,
    CUSTOMERS,
    DEFAULT_RULES,
    LARGEST,
    RULES,
    a_customer,
    a_reference,
    a_request,
    an_account,
    at,
    create_account,
    events,
    refused,
    transfers,
)
from tests.contract.service import Database, Merchant, Service


@pytest.fixture(scope="module")
def customer(client: Client) -> Json:
    """The customer of the accounts that a test makes."""
    return a_customer(client, name="Owner", currency="USD", balance=1)


def accepted_on_create_and_patch(client: Client, customer: Json, member: str, value: object) -> None:
    created = an_account(client, customer=customer["id"], **{member: value})
    assert created[member] == value
    patched = client.patch(at(an_account(client, customer=customer["id"])), {member: value})
    assert (patched.status, patched.json()[member]) == (200, value)


def refused_on_create_and_patch(client: Client, customer: Json, member: str, value: object) -> None:
    account = an_account(client, customer=customer["id"])
    refused(create_account(client, customer=customer["id"], **{member: value}), 400, f"/{member}")
    refused(client.patch(at(account), {member: value}), 400, f"/{member}")
    refused(client.merge(at(account), {member: value}), 400, f"/{member}")
    assert client.get(at(account)).json() == account


def test_a_create_answers_201_with_the_account_and_its_location(client: Client, customer: Json) -> None:
    """3: `POST /billing/accounts` 201; 2: `Location` header."""
    answer = create_account(client, customer=customer["id"], name="Meter 7")
    assert (answer.status, answer.media_type()) == (201, JSON)
    assert answer.header("Location").endswith(at(answer.json()))
    got = client.get(at(answer.json()))
    assert (got.json(), got.etag) == (answer.json(), answer.etag)
    assert got.header("Last-Modified") == answer.header("Last-Modified")


def test_a_create_raises_one_event_that_shows_the_account(client: Client, database: Database) -> None:
    """7: `account.created`; `data` is the object as the API shows it."""
    account = an_account(client, name="Evented", currency="ZAR", balance=5)
    assert events(database, account) == [("account.created", account)]


def test_a_refused_create_leaves_nothing(client: Client, customer: Json, database: Database) -> None:
    counts = """SELECT (SELECT count(*) FROM account), (SELECT count(*) FROM event), (SELECT count(*) FROM transfer),
                       (SELECT count(*) FROM attribution), (SELECT count(*) FROM search_term)"""
    account = an_account(client)
    before = database.rows(counts)
    refused(create_account(client, customer=customer["id"], balance=5), 400, "/currency")
    taken = {"external_reference": account["external_reference"], "customer": customer["id"]}
    refused(client.post(ACCOUNTS, taken | {"currency": "ZAR", "balance": 5}), 409, "/external_reference")
    refused(create_account(client, customer="nobody", currency="ZAR", balance=5), 404, "/customer")
    assert database.rows(counts) == before


@pytest.mark.parametrize("member", ["id", "customer_id"])
@pytest.mark.parametrize("value", ["bacc_H4jp6KnU5cPw263v1jyz4", "bcus_H4jp6KnU5cPw263v1jyz4", "", 5, True, [], {}])
def test_what_is_ours_to_give_cannot_be_chosen(client: Client, customer: Json, member: str, value: object) -> None:
    """3, rows `id` and `customer_id`: not members of a create."""
    refused(create_account(client, customer=customer["id"], **{member: value}), 400, f"/{member}")


@pytest.mark.parametrize("member", ["email", "phone", "amount_due", "customers", "account", "status", "currencies"])
def test_an_account_has_no_other_members(client: Client, customer: Json, member: str) -> None:
    """3: members as for a customer, without `email` and `phone`."""
    refused(create_account(client, customer=customer["id"], **{member: "john@example.com"}), 400, f"/{member}")
    refused(client.patch(at(an_account(client)), {member: "john@example.com"}), 400, f"/{member}")


def test_every_fault_is_named_at_once(client: Client) -> None:
    """1.5: on 400 `errors`: every fault found, not only the first."""
    answer = client.post(
        ACCOUNTS,
        {"name": 5, "email": "a@b.c", "currency": "zar", "balance": 1.5, "metadata": {"a": 1}, "payment_rules": []},
    )
    places = ["/external_reference", "/customer", "/name", "/email", "/currency", "/balance", "/metadata/a"]
    refused(answer, 400, *places, "/payment_rules")


# customer


@pytest.mark.parametrize("name", ["id", "external_reference"])
def test_the_customer_is_named_by_id_or_reference(client: Client, customer: Json, name: str) -> None:
    """3, row `customer`: an id, an external reference; row `customer_id`: always present in the response."""
    account = an_account(client, customer=customer[name])
    assert account["customer_id"] == customer["id"]
    assert "customer" not in account
    assert client.get(at(customer)).json() == customer


def test_a_customer_has_any_number_of_accounts(client: Client) -> None:
    """3: customer 1-n accounts, each with a balance of its own."""
    customer = a_customer(client, currency="ZAR", balance=100)
    accounts = [an_account(client, customer=customer["id"], currency="ZAR", balance=n) for n in range(5)]
    assert {account["customer_id"] for account in accounts} == {customer["id"]}
    assert [client.get(at(account)).json()["balance"] for account in accounts] == [0, 1, 2, 3, 4]
    assert client.get(at(customer)).json() == customer


def test_the_customer_is_required(client: Client) -> None:
    """3, row `customer`: required."""
    for request in (a_request(), a_request(customer=None)):
        refused(client.post(ACCOUNTS, request), 400, "/customer")


@pytest.mark.parametrize("value", ["", " ", "a b", "a.b", "é", "a\n", "x" * 256, 5, 1.5, True, [], ["a"]])
def test_the_customer_is_a_name_or_an_object(client: Client, value: object) -> None:
    """3, row `customer`: string or object (the objects are in test_composites)."""
    refused(create_account(client, customer=value), 400, "/customer")


def test_a_customer_that_does_not_exist_is_404(client: Client) -> None:
    """1.3: an object named in a body that does not exist is 404."""
    account = an_account(client)
    for name in ("nobody", "bcus_0000000000000000000000", account["id"], account["external_reference"], "x" * 255):
        answer = create_account(client, customer=name)
        refused(answer, 404, "/customer")
        assert name in answer.json()["detail"]


def test_a_customer_of_another_merchant_or_mode_is_404(live: Client, other: Client, customer: Json) -> None:
    """1.2: test and live data never meet; 1.5: no such customer in this merchant and mode."""
    for caller in (live, other):
        for name in ("id", "external_reference"):
            refused(create_account(caller, customer=customer[name]), 404, "/customer")


def test_the_id_of_a_customer_is_tried_before_a_reference(client: Client) -> None:
    """1.3: the id is tried first; an account's reference may look like a customer's id, and still names the account."""
    customer = a_customer(client)
    account = an_account(client, external_reference=customer["id"])
    assert client.get(f"{ACCOUNTS}/{customer['id']}").json() == account
    assert client.get(f"{CUSTOMERS}/{customer['id']}").json() == customer
    assert an_account(client, customer=customer["id"])["customer_id"] == customer["id"]


# name, payment_rules, metadata


@pytest.mark.parametrize("name", ["J", "Meter 7, Main Road", "é" * 255, "😀" * 255, " padded ", '"\\/', "\u2028"])
def test_a_name_may_be(client: Client, customer: Json, name: str) -> None:
    """3, 2, row `name`: a string of at most 255 characters."""
    accepted_on_create_and_patch(client, customer, "name", name)


@pytest.mark.parametrize("name", ["a" * 256, "😀" * 256, 5, 1.5, True, [], {}, ["Meter"]])
def test_a_name_may_not_be(client: Client, customer: Json, name: object) -> None:
    refused_on_create_and_patch(client, customer, "name", name)


def test_rules_and_metadata_are_kept(client: Client, customer: Json) -> None:
    """3, 2, rows `payment_rules` and `metadata` (their bounds are in test_payment_rules and test_metadata)."""
    accepted_on_create_and_patch(client, customer, "payment_rules", RULES)
    accepted_on_create_and_patch(client, customer, "metadata", {"meter": "7"})
    assert an_account(client, customer=customer["id"])["payment_rules"] == DEFAULT_RULES


# currency and balance


@pytest.mark.parametrize("currency", ["ZAR", "USD", "JPY", "KWD", "CLF"])
def test_a_currency_may_be(client: Client, customer: Json, currency: str) -> None:
    """3, 2, row `currency`: an ISO 4217 code, whatever the customer's is."""
    accepted_on_create_and_patch(client, customer, "currency", currency)


@pytest.mark.parametrize(
    "currency",
    ["", "zar", "ZA", "ZARR", "ZAR\n", "ZZZ", "DEM", "710", "\uff3a\uff21\uff32", 710, True, [], {}],
)
def test_a_currency_may_not_be(client: Client, customer: Json, currency: object) -> None:
    """1.1: upper case; checked against the active list."""
    refused_on_create_and_patch(client, customer, "currency", currency)


@pytest.mark.parametrize("balance", [0, 1, -1, 2000, LARGEST, -LARGEST])
def test_a_balance_may_be(client: Client, customer: Json, balance: int) -> None:
    """3, 2, row `balance`: an integer within ±(2^53 - 1); positive: owed; negative: credit."""
    assert an_account(client, customer=customer["id"], currency="ZAR", balance=balance)["balance"] == balance
    account = an_account(client, customer=customer["id"], currency="ZAR")
    assert "balance" not in account
    assert client.patch(at(account), {"balance": balance}).json() == account | {"balance": balance}
    assert client.get(at(account)).json()["balance"] == balance


@pytest.mark.parametrize(
    "text",
    [
        "9007199254740992", "-9007199254740992", "9223372036854775808", "1" + "0" * 40, "2000.0", "2000.5", "-0.0",
        "2e3", '"2000"', "true", "[]", "{}",
    ],
)  # fmt: skip
def test_a_balance_may_not_be(client: Client, customer: Json, text: str) -> None:
    """1.1: money is an integer, never a float: `2000.0`, `"2000"`, `true` are refused; out of bounds is refused."""
    request = json.dumps(a_request(customer=customer["id"], currency="ZAR"))
    refused(client.post(ACCOUNTS, f'{request[:-1]}, "balance": {text}}}'.encode()), 400, "/balance")
    account = an_account(client, customer=customer["id"], currency="ZAR", balance=7)
    for media_type in (JSON, MERGE_PATCH):
        answer = client.patch(at(account), f'{{"balance": {text}}}'.encode(), Content_Type=media_type)
        refused(answer, 400, "/balance")
    assert client.get(at(account)).json() == account


def test_a_balance_needs_a_currency_of_the_account_itself(client: Client, customer: Json) -> None:
    """2: `balance` needs a `currency`: the customer's does not count."""
    for more in ({}, {"currency": None}):
        refused(create_account(client, customer=customer["id"], balance=0, **more), 400, "/currency")


def test_the_opening_balance_is_one_transfer_of_the_account(client: Client, database: Database) -> None:
    """2, 6: a transfer of the cause `opening`, on the account and not on its customer."""
    customer = a_customer(client, currency="USD", balance=1)
    account = an_account(client, customer=customer["id"], currency="ZAR", balance=2000)
    expected = ("opening", "receivable", "opening_equity", 2000, 2000, "ZAR")
    assert transfers(database, account) == [expected]
    assert len(transfers(database, customer)) == 1
    credit = an_account(client, currency="ZAR", balance=-5)
    assert transfers(database, credit) == [("opening", "opening_equity", "receivable", -5, -5, "ZAR")]
    assert transfers(database, an_account(client, currency="ZAR")) == []
    assert transfers(database, an_account(client, currency="ZAR", balance=0)) == [
        ("opening", "receivable", "opening_equity", 0, 0, "ZAR")
    ]


# null


def test_every_unset_member_may_be_null(client: Client, customer: Json) -> None:
    """1.1: a member that is `null` counts as not given."""
    members = ["id", "customer_id", "name", "currency", "balance", "payment_rules", "metadata"]
    account = an_account(client, customer=customer["id"], **dict.fromkeys(members))
    assert set(account) == {"id", "external_reference", "customer_id", "payment_rules"}
    assert account["payment_rules"] == DEFAULT_RULES


# References


def test_a_reference_is_unique_among_accounts_alone(client: Client, live: Client, other: Client) -> None:
    """1.3: unique per kind of object and per mode; a duplicate gets 409 `conflict`, whoever's account it is."""
    account = an_account(client, customer=a_customer(client, external_reference=(reference := a_reference()))["id"])
    same = {"external_reference": account["external_reference"]}
    duplicate = client.post(ACCOUNTS, same | {"customer": a_customer(client)["id"], "name": "Another"})
    refused(duplicate, 409, "/external_reference")
    assert client.get(at(account)).json() == account
    an_account(client, external_reference=reference)
    a_customer(client, **same)
    for caller in (live, other):
        assert an_account(caller, **same)["id"] != account["id"]


@pytest.mark.parametrize("workers", [1, 2])
def test_of_concurrent_duplicates_exactly_one_is_created(
    service: Service, two_workers: Service, client: Client, database: Database, workers: int
) -> None:
    """1.3: unique, also while requests for different customers race each other through one worker or two."""
    caller = (service if workers == 1 else two_workers).client(client.key)
    customers = [a_customer(client)["id"] for _ in range(10)]
    for _ in range(3):
        reference = a_reference()
        requests = [{"external_reference": reference, "customer": customer} for customer in customers]
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda request: caller.post(ACCOUNTS, request), requests))
        assert sorted(answer.status for answer in answers) == [201] + [409] * 9
        (made,) = [answer.json() for answer in answers if answer.status == 201]
        assert client.get(f"{ACCOUNTS}/{reference}").json() == made
        assert database.value("SELECT count(*) FROM account WHERE external_reference = $1", reference) == 1
        assert events(database, made) == [("account.created", made)]
    caller.close()


# Who may


def test_accounts_need_a_secret_key(
    service: Service, merchant: Merchant, client: Client, public: Client, anonymous: Client
) -> None:
    """1.2: every operation in this file needs a secret key."""
    account, request = an_account(client), ACCOUNT.request(client)
    for caller, status in ((public, 403), (service.client(merchant.keys["pk"]), 403), (anonymous, 401)):
        assert caller.get(ACCOUNTS).status == status
        assert caller.get(at(account)).status == status
        assert caller.post(ACCOUNTS, request).status == status
        assert caller.patch(at(account), {"name": "Mine"}).status == status
    assert client.get(at(account)).json() == account


@pytest.mark.parametrize(
    ("path", "methods", "allowed"),
    [
        (ACCOUNTS, ("PUT", "PATCH", "DELETE"), {"GET", "HEAD", "POST"}),
        (f"{ACCOUNTS}/anything", ("PUT", "POST", "DELETE"), {"GET", "HEAD", "PATCH"}),
    ],
)
def test_another_method_is_405_with_allow(
    client: Client, path: str, methods: tuple[str, ...], allowed: set[str]
) -> None:
    """1.5: 405 with `Allow`."""
    for method in methods:
        answer = client.send(method, path, b"{}", {"Content-Type": JSON})
        assert (answer.status, answer.code) == (405, "method_not_allowed")
        assert {name.strip() for name in answer.header("Allow").split(",")} == allowed


@pytest.mark.parametrize("path", [f"{ACCOUNTS}/", f"{ACCOUNTS}/a/b", f"{ACCOUNTS}/a/void", "/billing/account"])
def test_another_path_is_404(client: Client, path: str) -> None:
    assert client.get(path).status == 404
    assert client.post(path, {}).status == 404
