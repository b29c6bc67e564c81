"""3: PATCH /billing/accounts/{account}."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.client import JSON, MERGE_PATCH, Client, Json
from tests.contract.samples import (
    ACCOUNTS,
    LARGEST,
    RULES,
    a_customer,
    a_reference,
    an_account,
    at,
    create_account,
    events,
    refused,
    transfers,
)
from tests.contract.service import Database, Service

FULL: Json = {
    "name": "Meter 7", "currency": "ZAR", "balance": 2000, "payment_rules": RULES, "metadata": {"a": "1", "b": "2"},
}  # fmt: skip
BOTH = pytest.mark.parametrize("media_type", [JSON, MERGE_PATCH])


@pytest.mark.parametrize(
    ("member", "value"),
    [("name", "Meter 8"), ("balance", -7), ("payment_rules", RULES | {"min_amount": 1})],
)
@BOTH
def test_only_the_given_members_change(client: Client, member: str, value: object, media_type: str) -> None:
    """3: PATCH 200; 2: only the given members change."""
    account = an_account(client, **FULL)
    answer = client.patch(at(account), {member: value}, Content_Type=media_type)
    assert (answer.status, answer.json()) == (200, account | {member: value})
    assert client.get(at(account)).json() == account | {member: value}


def test_members_that_were_absent_can_be_set(client: Client) -> None:
    account = an_account(client)
    assert client.patch(at(account), FULL).json() == account | FULL


def test_a_patch_by_reference_changes_the_same_account(client: Client) -> None:
    account = an_account(client)
    answer = client.patch(f"{ACCOUNTS}/{account['external_reference']}", {"name": "New"})
    assert answer.json() == client.get(at(account)).json() == account | {"name": "New"}


@pytest.mark.parametrize("member", ["name", "payment_rules"])
def test_in_a_merge_patch_a_null_clears(client: Client, member: str) -> None:
    """1.1: there `null` clears `name`, `payment_rules`, or one metadata key."""
    account = an_account(client, **FULL)
    answer = client.merge(at(account), {member: None, "metadata": {"a": None}})
    expected = {name: value for name, value in account.items() if name != member} | {"metadata": {"b": "2"}}
    assert (answer.status, answer.json()) == (200, expected)


@pytest.mark.parametrize("member", ["currency", "balance", "metadata", "id", "external_reference", "customer_id"])
def test_in_a_merge_patch_any_other_null_is_refused(client: Client, member: str) -> None:
    """1.1: any other member refuses `null` (400)."""
    account = an_account(client, **FULL)
    refused(client.merge(at(account), {member: None}), 400, f"/{member}")
    assert client.get(at(account)).json() == account


def test_in_json_a_null_never_wipes_anything(client: Client) -> None:
    """1.1: in `application/json` a member that is `null` counts as not given, on PATCH too."""
    created = create_account(client, **FULL)
    answer = client.patch(at(created.json()), dict.fromkeys(created.json()) | {"metadata": {"a": None}})
    assert (answer.status, answer.json(), answer.etag) == (200, created.json(), created.etag)


def test_a_patch_raises_one_event_that_shows_the_account(client: Client, database: Database) -> None:
    """7: a PATCH raises `*.updated`."""
    account = an_account(client)
    updated = client.patch(at(account), {"name": "New"}).json()
    assert events(database, account) == [("account.created", account), ("account.updated", updated)]


@pytest.mark.parametrize(
    "change",
    [{}, {"name": "Meter 7"}, {"balance": 2000}, {"currency": "ZAR"}, {"metadata": {"a": "1"}}, {"metadata": {}}, FULL],
)
@BOTH
def test_a_patch_that_changes_nothing_writes_nothing(
    client: Client, database: Database, change: Json, media_type: str
) -> None:
    """2: a PATCH that changes nothing writes nothing and raises no event."""
    created = create_account(client, **FULL)
    account = created.json()
    state = "SELECT row_to_json(account)::text, xmin::text FROM account WHERE id = $1"
    before = database.rows(state, account["id"])
    answer = client.patch(at(account), change, Content_Type=media_type)
    assert (answer.status, answer.json(), answer.etag) == (200, account, created.etag)
    assert database.rows(state, account["id"]) == before
    assert (len(events(database, account)), len(transfers(database, account))) == (1, 1)


# Read-only members


@BOTH
def test_a_client_may_send_back_what_it_got(client: Client, media_type: str) -> None:
    """1.1: a read-only member is accepted in a PATCH where it equals what stands."""
    created = create_account(client, **FULL)
    account = created.json()
    unchanged = client.patch(at(account), account, Content_Type=media_type)
    assert (unchanged.status, unchanged.json(), unchanged.etag) == (200, account, created.etag)
    changed = client.patch(at(account), account | {"name": "New"}, Content_Type=media_type)
    assert (changed.status, changed.json()) == (200, account | {"name": "New"})


@pytest.mark.parametrize("member", ["id", "external_reference", "customer_id"])
@BOTH
def test_a_read_only_member_that_differs_is_400(client: Client, member: str, media_type: str) -> None:
    """1.1: where it differs: 400 for one that never changes (`id`, `external_reference`, `customer_id`)."""
    account, other = an_account(client), an_account(client)
    reference = client.get(f"/billing/customers/{account['customer_id']}").json()["external_reference"]
    values: list[object] = [other[member], account[member].swapcase(), account[member] + "x", "", 5, True, [], {}]
    for value in [*values, reference]:
        answer = client.patch(at(account), {member: value, "name": "New"}, Content_Type=media_type)
        refused(answer, 400, f"/{member}")
    assert client.get(at(account)).json() == account


@pytest.mark.parametrize("form", ["id", "external_reference", "object"])
@BOTH
def test_an_account_keeps_its_customer(client: Client, form: str, media_type: str) -> None:
    """3, row `customer`: not a member of a PATCH, not even with the customer that the account has."""
    account = an_account(client)
    customer = client.get(f"/billing/customers/{account['customer_id']}").json()
    value = {"external_reference": a_reference()} if form == "object" else customer[form]
    refused(client.patch(at(account), {"customer": value}, Content_Type=media_type), 400, "/customer")
    assert client.get(at(account)).json() == account


# Balance and currency


def test_a_balance_replaces_the_old_one_and_transfers_the_difference(client: Client, database: Database) -> None:
    """2: `balance` replaces the old value; its transfer is the difference from the running total."""
    customer = a_customer(client, currency="ZAR", balance=11)
    account = an_account(client, customer=customer["id"], currency="ZAR", balance=2000)
    for balance in (500, -300, LARGEST, -LARGEST):
        assert client.patch(at(account), {"balance": balance}).json()["balance"] == balance
    receivable, replacement = "receivable", "balance_replacement"
    assert transfers(database, account)[1:] == [
        ("balance_set", replacement, receivable, -1500, 500, "ZAR"),
        ("balance_set", replacement, receivable, -800, -300, "ZAR"),
        ("balance_set", receivable, replacement, LARGEST + 300, LARGEST, "ZAR"),
        ("balance_set", replacement, receivable, -2 * LARGEST, -LARGEST, "ZAR"),
    ]
    assert client.get(at(customer)).json() == customer
    assert len(transfers(database, customer)) == 1


def test_a_balance_needs_a_currency_also_in_a_patch(client: Client) -> None:
    """2: in the same request or already on the object, else 400: the customer's does not count."""
    account = an_account(client, customer=a_customer(client, currency="ZAR", balance=1)["id"])
    refused(client.patch(at(account), {"balance": 5}), 400, "/currency")
    assert client.get(at(account)).json() == account
    assert client.patch(at(account), {"balance": 5, "currency": "USD"}).json() == account | {
        "balance": 5,
        "currency": "USD",
    }
    assert client.patch(at(account), {"balance": 6}).json()["balance"] == 6


def test_a_currency_that_no_money_uses_can_change(client: Client) -> None:
    path = at(an_account(client, currency="ZAR"))
    assert client.patch(path, {"currency": "USD"}).json()["currency"] == "USD"
    assert client.patch(path, {"currency": "EUR", "balance": 1}).json()["currency"] == "EUR"


@pytest.mark.parametrize("balance", [2000, 0, -1])
@BOTH
def test_a_currency_that_money_already_uses_cannot_change(client: Client, balance: int, media_type: str) -> None:
    """2: a currency that money already uses (a balance has been tracked) cannot change (409 `conflict`)."""
    account = an_account(client, currency="ZAR", balance=balance)
    for change in ({"currency": "USD"}, {"currency": "USD", "balance": 5}, {"currency": "USD", "name": "New"}):
        refused(client.patch(at(account), change, Content_Type=media_type), 409, "/currency")
    assert client.get(at(account)).json() == account


def test_the_customers_currency_is_another_matter(client: Client) -> None:
    """3: a balance of its own: what money uses on the account binds neither the customer nor other accounts."""
    customer = a_customer(client, currency="ZAR")
    an_account(client, customer=customer["id"], currency="ZAR", balance=5)
    sibling = an_account(client, customer=customer["id"], currency="ZAR")
    assert client.patch(at(customer), {"currency": "USD"}).status == 200
    assert client.patch(at(sibling), {"currency": "EUR"}).status == 200


def test_the_same_currency_again_is_always_accepted(client: Client, database: Database) -> None:
    """1.1: checked against the active list when a value is first given, never again for a value that stands."""
    account = an_account(client, currency="ZAR", balance=5)
    database.execute("UPDATE account SET currency = 'DEM' WHERE id = $1", account["id"])
    assert client.patch(at(account), {"currency": "DEM", "balance": 6}).json()["balance"] == 6
    refused(client.patch(at(an_account(client)), {"currency": "DEM"}), 400, "/currency")


# The order of refusals


def test_if_match_comes_before_validation_and_validation_before_the_state(client: Client) -> None:
    """1.1: the path's object (404), `If-Match`, validation, state."""
    path = at(an_account(client, currency="ZAR", balance=1))
    assert client.patch(f"{ACCOUNTS}/{a_reference()}", {"name": 5}, If_Match='"other"').status == 404
    assert client.patch(path, {"name": 5}, If_Match='"other"').status == 412
    assert client.patch(path, {"currency": "USD"}, If_Match='"other"').status == 412
    refused(client.patch(path, {"currency": "USD", "name": 5}), 400, "/name")
    refused(client.patch(path, {"currency": "USD", "customer_id": "x"}), 400, "/customer_id")


def test_a_refused_patch_changes_nothing_at_all(client: Client, database: Database) -> None:
    """1.5: a PATCH is done whole or not at all."""
    created = create_account(client, **FULL)
    account = created.json()
    for change in ({"name": "New", "balance": 1.5}, {"name": "New", "currency": "USD"}, {"name": "New", "email": "x"}):
        assert client.patch(at(account), change).status in (400, 409)
    got = client.get(at(account))
    assert (got.json(), got.etag) == (account, created.etag)
    assert len(events(database, account)) == 1


# Concurrency


def test_concurrent_balances_of_one_account_are_all_in_its_ledger(
    client: Client, two_workers: Service, database: Database
) -> None:
    """2: a new `balance` is absolute: the last one stands, and the transfers add up to it."""
    caller = two_workers.client(client.key)
    account = an_account(client, currency="ZAR", balance=0)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: caller.patch(at(account), {"balance": n}), range(1, 41)))
    caller.close()
    assert [answer.json()["balance"] for answer in answers] == list(range(1, 41))
    chain = transfers(database, account)
    assert sum(amount for _, _, _, amount, _, _ in chain) == client.get(at(account)).json()["balance"]
    assert (len(chain), len(events(database, account))) == (41, 41)


def test_accounts_of_one_customer_change_at_once_beside_it(client: Client, two_workers: Service) -> None:
    """3: a balance of its own: nothing is lost where a customer and its accounts change together."""
    caller = two_workers.client(client.key)
    customer = a_customer(client, currency="ZAR", balance=0)
    things = [customer, *(an_account(client, customer=customer["id"], currency="ZAR", balance=0) for _ in range(3))]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: caller.patch(at(things[n % 4]), {"balance": n + 1}), range(40)))
    caller.close()
    assert {answer.status for answer in answers} == {200}
    for number, thing in enumerate(things):
        assert client.get(at(thing)).json()["balance"] % 4 == (number + 1) % 4
