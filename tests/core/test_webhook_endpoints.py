"""Webhook endpoints: how one is made, changed, deleted, and given a new secret (contract, section 7)."""

import base64
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from owed.core.outcomes import Code, Fault
from owed.core.preconditions import IfMatch
from owed.core.state import Name, State
from owed.core.update import Update
from owed.core.webhook_endpoints import Backlog, CreateEndpoint, Deletion, EndpointChange, EndpointMembers, RotateSecret
from owed.model.attribution import Actor
from owed.model.webhook_endpoint import DEFAULT_TYPES, DisabledReason, WebhookEndpoint
from tests.core.samples import JANE, KEY, NOW, SECOND, Books, places

URL = "https://example.com/hook"
FAULT = Fault("/url", "no")
STALE = frozenset({"9"})


def create(*, tenant: int = 1, actor: Actor = KEY, url: str = URL, **given: Any) -> CreateEndpoint:
    """Create an endpoint; what is given besides is as in `CreateEndpoint`, or a member."""
    own = {name: given.pop(name) for name in ("standing", "is_listener", "faults") if name in given}
    return CreateEndpoint(tenant_id=tenant, actor=actor, members=EndpointMembers(url=url, **given), **own)


def change(
    endpoint: WebhookEndpoint,
    members: EndpointChange,
    *,
    tenant: int = 1,
    actor: Actor = KEY,
    if_match: IfMatch = None,
    faults: tuple[Fault, ...] = (),
) -> Update:
    return Update(tenant_id=tenant, actor=actor, name=endpoint.id, members=members, if_match=if_match, faults=faults)


def update(endpoint: WebhookEndpoint, **given: Any) -> Update:
    """Change an endpoint; what is given besides members is as in `change`."""
    own = {name: given.pop(name) for name in ("tenant", "actor", "if_match", "faults") if name in given}
    return change(endpoint, EndpointMembers(**given), **own)


def delete(endpoint: WebhookEndpoint, **given: Any) -> Update:
    return change(endpoint, Deletion(), **given)


def rotate(endpoint: WebhookEndpoint, *, tenant: int = 1, actor: Actor = KEY, **given: Any) -> RotateSecret:
    return RotateSecret(tenant_id=tenant, actor=actor, endpoint=endpoint.id, **given)


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def endpoint(books: Books) -> WebhookEndpoint:
    made: WebhookEndpoint = books.done(create())
    return made


# Creating


def test_a_new_endpoint_gets_what_receivers_of_the_public_api_know(books: Books) -> None:
    """7: obligation.amount_applied only, unless it asks for more; and what happens after it was made."""
    made: WebhookEndpoint = books.done(create())

    assert (made.url, made.types, made.description) == (URL, DEFAULT_TYPES, None)
    assert (made.enabled, made.disabled_reason, made.is_listener, made.version) == (True, None, False, 1)
    assert {made.starts_at, made.resumed_at, made.created_at, made.updated_at} == {NOW}


def test_a_new_endpoint_has_what_is_given(books: Books) -> None:
    made: WebhookEndpoint = books.done(create(types=("*",), description="tests", enabled=False, is_listener=True))

    assert (made.types, made.description, made.is_listener) == (("*",), "tests", True)
    assert (made.enabled, made.disabled_reason) == (False, DisabledReason.REQUESTED)


def test_a_new_endpoint_is_shown_without_its_secret(books: Books) -> None:
    made: WebhookEndpoint = books.done(create(description="tests"))

    assert made.shown() == {
        "id": made.id,
        "url": URL,
        "events": DEFAULT_TYPES,
        "description": "tests",
        "enabled": True,
        "secret_id": made.secret.id,
        "created_at": NOW,
        "updated_at": NOW,
    }
    assert made.path == f"/billing/webhook_endpoints/{made.id}"


def test_an_endpoint_of_a_listener_and_one_that_is_disabled_say_so(books: Books) -> None:
    shown = books.done(create(is_listener=True, enabled=False)).shown()

    assert (shown["listener"], shown["enabled"], shown["disabled_reason"]) == (True, False, "requested")


def test_every_secret_is_another_32_random_bytes(books: Books) -> None:
    secrets = [books.done(create()).secret for _ in range(20)]

    values = [base64.b64decode(secret.value.removeprefix("whsec_"), validate=True) for secret in secrets]
    assert {len(value) for value in values} == {32}
    assert len(set(values)) == len({secret.id for secret in secrets}) == 20
    assert all(secret.value.startswith("whsec_") and secret.id.startswith("sec_") for secret in secrets)


def test_an_endpoint_of_a_bad_form_is_not_made(books: Books) -> None:
    refusal = books.refused(create(faults=(FAULT,), standing=1_000))

    assert (refusal.code, places(refusal)) == (Code.INVALID_REQUEST, ["/url"])


@pytest.mark.parametrize(("standing", "is_made"), [(99, True), (100, False), (101, False)])
def test_a_tenant_has_a_hundred_endpoints_at_most(books: Books, standing: int, *, is_made: bool) -> None:
    command = create(standing=standing)
    if is_made:
        assert books.done(command).version == 1
    else:
        assert books.refused(command).code == Code.CONFLICT


# Changing


@pytest.mark.parametrize(
    "given",
    [{"url": "https://example.com/b"}, {"types": ("bill.paid", "bill.voided")}, {"description": "books"}],
)
def test_only_what_is_given_changes(books: Books, endpoint: WebhookEndpoint, given: dict[str, Any]) -> None:
    books.stamps.now += SECOND

    changed = books.done(update(endpoint, **given))
    resumed_at = NOW + SECOND if "url" in given else NOW
    assert changed == msgspec.structs.replace(
        endpoint, **given, version=2, updated_at=NOW + SECOND, resumed_at=resumed_at
    )


def test_a_description_is_cleared(books: Books) -> None:
    made = books.done(create(description="tests"))

    assert books.done(update(made, description=None)).description is None


@pytest.mark.parametrize("nothing", [{}, {"url": URL, "types": DEFAULT_TYPES, "enabled": True, "description": None}])
def test_what_changes_nothing_writes_nothing(books: Books, endpoint: WebhookEndpoint, nothing: dict[str, Any]) -> None:
    before = books.kept()

    assert books.done(update(endpoint, actor=JANE, **nothing)) == endpoint
    assert books.kept() == before


def test_who_did_what_is_always_kept_and_no_event_tells_of_it(books: Books) -> None:
    made = books.done(create())
    books.done(update(made, actor=JANE, enabled=False))
    books.done(rotate(made))
    books.done(delete(made, actor=JANE))

    assert [(words.object_id, words.command, words.actor) for words in books.state.attributions] == [
        (made.id, "webhook_endpoint.create", KEY),
        (made.id, "webhook_endpoint.update", JANE),
        (made.id, "webhook_endpoint.rotate_secret", KEY),
        (made.id, "webhook_endpoint.delete", JANE),
    ]
    assert (books.state.events, books.state.transfers) == ([], [])


def test_an_endpoint_may_be_sent_back_as_it_was_got(books: Books) -> None:
    made: WebhookEndpoint = books.done(create(enabled=False))
    read_only = {*EndpointMembers.fixed, *EndpointMembers.derived}
    got = {name: value for name, value in msgspec.to_builtins(made.shown()).items() if name in read_only}
    assert set(got) == read_only - {"listener"}

    assert books.done(update(made, sent_back=got)) == made


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("id", "we_other", Code.INVALID_REQUEST),
        ("created_at", "2026-03-04T05:06:08Z", Code.INVALID_REQUEST),
        ("listener", False, Code.INVALID_REQUEST),
        ("secret_id", "sec_other", Code.CONFLICT),
        ("updated_at", "2026-03-04T05:06:08Z", Code.CONFLICT),
        ("disabled_reason", "gone", Code.CONFLICT),
    ],
)
def test_what_is_not_the_merchants_to_set_is_refused(
    books: Books, endpoint: WebhookEndpoint, member: str, value: object, code: Code
) -> None:
    """1.1: 400 for what never changes, 409 for what does."""
    refusal = books.refused(update(endpoint, sent_back={member: value}))

    assert (refusal.code, places(refusal)) == (code, [f"/{member}"])


# Disabling and enabling


@pytest.fixture(params=list(DisabledReason))
def off(request: pytest.FixtureRequest, books: Books, endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """An endpoint that is disabled, for each of the reasons."""
    standing = msgspec.structs.replace(endpoint, enabled=False, disabled_reason=request.param)
    books.state = State([standing])
    books.stamps.now += SECOND
    return standing


def test_a_merchant_disables_an_endpoint_by_request(books: Books, endpoint: WebhookEndpoint) -> None:
    changed = books.done(update(endpoint, enabled=False))

    assert (changed.enabled, changed.disabled_reason) == (False, DisabledReason.REQUESTED)
    assert (changed.starts_at, changed.resumed_at) == (endpoint.starts_at, endpoint.resumed_at)


def test_disabling_what_is_disabled_changes_nothing(books: Books, off: WebhookEndpoint) -> None:
    assert books.done(update(off, enabled=False)) == off


@pytest.mark.parametrize(("backlog", "starts_at"), [(Backlog.RESUME, NOW), (Backlog.SKIP, NOW + SECOND)])
def test_enabling_again_resumes_or_skips_the_backlog(
    books: Books, off: WebhookEndpoint, backlog: Backlog, starts_at: Any
) -> None:
    changed = books.done(update(off, enabled=True, backlog=backlog))

    assert (changed.enabled, changed.disabled_reason) == (True, None)
    assert (changed.starts_at, changed.resumed_at) == (starts_at, NOW + SECOND)


def test_enabling_again_must_say_what_becomes_of_the_backlog(books: Books, off: WebhookEndpoint) -> None:
    refusal = books.refused(update(off, enabled=True))

    assert (refusal.code, places(refusal)) == (Code.INVALID_REQUEST, ["/backlog"])


@pytest.mark.parametrize("given", [{}, {"enabled": False}, {"url": "https://example.com/b"}])
def test_a_backlog_goes_with_enabling_alone(books: Books, off: WebhookEndpoint, given: dict[str, Any]) -> None:
    assert places(books.refused(update(off, backlog=Backlog.SKIP, **given))) == ["/backlog"]


@pytest.mark.parametrize("given", [{}, {"enabled": True}, {"enabled": False}])
def test_what_is_enabled_has_no_backlog(books: Books, endpoint: WebhookEndpoint, given: dict[str, Any]) -> None:
    assert places(books.refused(update(endpoint, backlog=Backlog.RESUME, **given))) == ["/backlog"]


@pytest.mark.parametrize("faulty", ["enabled", "backlog"])
def test_a_fault_of_the_one_is_no_fault_of_the_other(books: Books, off: WebhookEndpoint, faulty: str) -> None:
    given = {"enabled": True, "backlog": Backlog.SKIP}
    del given[faulty]
    command = update(off, faulty=frozenset({faulty}), faults=(Fault(f"/{faulty}", "no"),), **given)

    assert places(books.refused(command)) == [f"/{faulty}"]


def test_an_endpoint_that_moves_is_sent_at_once_what_waits(books: Books, endpoint: WebhookEndpoint) -> None:
    moved = books.done(change(endpoint, EndpointMembers(url="https://elsewhere.example/hook")))
    assert (moved.resumed_at > endpoint.resumed_at, moved.starts_at) == (True, endpoint.starts_at)
    same = books.done(change(moved, EndpointMembers(url=moved.url, description="the same place")))
    assert same.resumed_at == moved.resumed_at


def test_a_disabled_endpoint_that_moves_stays_disabled(books: Books, off: WebhookEndpoint) -> None:
    moved = books.done(change(off, EndpointMembers(url="https://elsewhere.example/hook")))
    assert (moved.enabled, moved.resumed_at) == (False, off.resumed_at)


@pytest.mark.parametrize("step", [timedelta(0), -SECOND])
def test_each_enabling_is_later_than_the_one_before(books: Books, endpoint: WebhookEndpoint, step: timedelta) -> None:
    """Workers tell by it what they have acted on, and clocks of two machines differ."""
    books.done(update(endpoint, enabled=False))
    books.stamps.now += step
    changed = books.done(update(endpoint, enabled=True, backlog=Backlog.SKIP))

    assert changed.resumed_at > endpoint.resumed_at
    assert changed.starts_at == changed.resumed_at


# Deleting


def test_a_deleted_endpoint_is_found_no_more(books: Books, endpoint: WebhookEndpoint) -> None:
    books.stamps.now += SECOND
    gone = books.done(delete(endpoint))

    assert (gone.deleted_at, gone.version) == (NOW + SECOND, 2)
    assert books.state.webhook_endpoints.find(1, endpoint.id) is None
    for command in (update(endpoint, description="x"), rotate(endpoint), delete(endpoint)):
        assert books.refused(command).code == Code.NOT_FOUND


def test_an_endpoint_that_was_loaded_deleted_is_not_found(endpoint: WebhookEndpoint) -> None:
    state = State([msgspec.structs.replace(endpoint, deleted_at=NOW)])

    assert state.webhook_endpoints.find(1, endpoint.id) is None


# Secrets


def test_a_new_secret_goes_first_and_the_old_one_stays_valid_for_a_day(books: Books, endpoint: WebhookEndpoint) -> None:
    books.stamps.now += SECOND
    rotated: WebhookEndpoint = books.done(rotate(endpoint))

    day = timedelta(days=1)
    assert [(secret.value, secret.expires_at) for secret in rotated.secrets[1:]] == [
        (endpoint.secret.value, NOW + SECOND + day)
    ]
    assert (rotated.secret.created_at, rotated.secret.expires_at, rotated.version) == (NOW + SECOND, None, 2)
    assert len(rotated.secrets_at(NOW + day)) == 2
    assert rotated.secrets_at(NOW + SECOND + day) == (rotated.secret,)


def test_a_rotation_may_end_the_old_secrets_at_once(books: Books, endpoint: WebhookEndpoint) -> None:
    books.done(rotate(endpoint))
    rotated: WebhookEndpoint = books.done(rotate(endpoint, expires_in=0))

    assert rotated.secrets == (rotated.secret,)


def test_no_rotation_lets_a_secret_live_longer(books: Books, endpoint: WebhookEndpoint) -> None:
    books.done(rotate(endpoint, expires_in=10))
    rotated: WebhookEndpoint = books.done(rotate(endpoint, expires_in=60))

    assert [secret.expires_at for secret in rotated.secrets] == [None, NOW + 60 * SECOND, NOW + 10 * SECOND]


def test_a_rotation_shortens_the_lives_of_all_old_secrets(books: Books, endpoint: WebhookEndpoint) -> None:
    books.done(rotate(endpoint, expires_in=60))
    rotated: WebhookEndpoint = books.done(rotate(endpoint, expires_in=10))

    assert [secret.expires_at for secret in rotated.secrets] == [None, NOW + 10 * SECOND, NOW + 10 * SECOND]


def test_five_secrets_are_valid_at_most(books: Books, endpoint: WebhookEndpoint) -> None:
    for seconds in (10, 20, 30, 40):
        books.done(rotate(endpoint, expires_in=seconds))
    refusal = books.refused(rotate(endpoint))
    assert (refusal.code, "2026-03-04T05:06:17Z" in refusal.detail) == (Code.CONFLICT, True)

    books.stamps.now += 10 * SECOND  # the first has expired, and is forgotten
    assert len(books.done(rotate(endpoint)).secrets) == 5
    assert len(books.done(rotate(endpoint, expires_in=0)).secrets) == 1


def test_a_rotation_is_stale_invalid_or_done_in_the_order_of_the_contract(
    books: Books, endpoint: WebhookEndpoint
) -> None:
    faults = (Fault("/expires_in", "no"),)

    assert books.refused(rotate(endpoint, if_match=STALE, faults=faults)).code == Code.PRECONDITION_FAILED
    assert books.refused(rotate(endpoint, faults=faults)).code == Code.INVALID_REQUEST
    assert books.done(rotate(endpoint, if_match=frozenset({"1"}))).version == 2


# What commands name


def test_an_endpoint_of_another_tenant_is_not_found(books: Books, endpoint: WebhookEndpoint) -> None:
    for command in (update(endpoint, tenant=2), delete(endpoint, tenant=2), rotate(endpoint, tenant=2)):
        refusal = books.refused(command)
        assert (refusal.code, "webhook endpoint" in refusal.detail) == (Code.NOT_FOUND, True)


def test_a_stale_deletion_deletes_nothing(books: Books, endpoint: WebhookEndpoint) -> None:
    assert books.refused(delete(endpoint, if_match=STALE)).code == Code.PRECONDITION_FAILED
    assert books.done(delete(endpoint, if_match=frozenset({"1"}))).deleted_at == NOW


def test_commands_name_the_endpoint_and_take_no_reference(endpoint: WebhookEndpoint) -> None:
    name = Name("webhook_endpoint", 7, endpoint.id)

    assert (create().reads(), create().claims()) == ((), ())
    for command in (rotate(endpoint, tenant=7), update(endpoint, tenant=7)):
        assert (command.reads(), command.claims()) == ((name,), ())
