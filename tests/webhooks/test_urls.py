"""What the URL of an endpoint may be. Every hostile one is refused with a sentence that says what would be right."""

import asyncio
from ipaddress import ip_network

import pytest

from owed.model.access import Mode
from owed.webhooks import urls
from owed.webhooks.addresses import Address, Policy
from owed.webhooks.urls import refusal
from tests.webhooks.names import Names

STRICT = Policy((), loopback=False)
AT_HOME = Policy((), loopback=True)

NAMES = Names(
    hooks_example_com="93.184.215.14 2606:2800:21f::1",
    localhost="127.0.0.1 ::1",
    loop_example_com="127.0.0.1",
    inside_example_com="10.0.0.5 fd00::5",
    mixed_example_com="10.0.0.5 93.184.215.14",
    mapped_example_com="::ffff:169.254.169.254",
    metadata_google_internal="169.254.169.254",
    billing_internal="10.0.0.5",
    intranet="10.0.0.5",
    empty_example_com="",
)

SCHEME = "This must begin with https://."
ASCII = "This must be printable ASCII"
NUMBER = "written as four decimal numbers without leading zeros"
BRACKETS = "must be an IPv6 address without a zone"
NAME = "The host must be a name such as hooks.example.com"
HOST = "This must name a host"
PORT = "The port must be a number between 1 and 65535"
ALLOW = "the operator names its network in OWED_WEBHOOK_ALLOW"
LOCAL = "such a name is never public"

HOSTILE = [
    # Not for the web
    ("", SCHEME),
    ("hooks.example.com/owed", SCHEME),
    ("//hooks.example.com/owed", SCHEME),
    ("http://hooks.example.com/owed", SCHEME),
    ("ftp://hooks.example.com/", SCHEME),
    ("file:///etc/passwd", SCHEME),
    ("gopher://127.0.0.1:6379/_FLUSHALL", SCHEME),
    ("javascript:alert(1)", SCHEME),
    ("https:/hooks.example.com/", SCHEME),
    ("https:hooks.example.com", SCHEME),
    # What parsers read in different ways
    ("https://", HOST),
    ("https:///etc/passwd", HOST),
    ("https://:443/", HOST),
    ("https://hooks.example.com@127.0.0.1/", "This must not hold a user or a password"),
    ("https://user:secret@hooks.example.com/", "This must not hold a user or a password"),
    ("https://127.0.0.1#@hooks.example.com/", "This must not have a fragment"),
    ("https://hooks.example.com/#part", "This must not have a fragment"),
    ("https://127.0.0.1\\@hooks.example.com/", ASCII),
    ("https://hooks.example.com\\.evil.test/", ASCII),
    (" https://hooks.example.com/", ASCII),
    ("https://hooks.example.com/a b", ASCII),
    ("https://hooks.example.com/\r\nX-Injected: 1", ASCII),
    ("https://hooks.example.com\t/", ASCII),
    ("https://hooks.example.com\n", ASCII),
    ("https://hooks.example.com/\x00", ASCII),
    ("https://127.0.0.1:80:443/", PORT),
    ("https://hooks.example.com:0/", PORT),
    ("https://hooks.example.com:65536/", PORT),
    ("https://hooks.example.com:-1/", PORT),
    ("https://hooks.example.com:/", PORT),
    ("https://hooks.example.com:8o/", PORT),
    ("https://hooks.example.com/" + "a" * 2048, "This must have at most 2048 characters."),
    # Numbers in notations that only resolvers read
    ("https://2130706433/", NUMBER),
    ("https://0x7f000001/", NUMBER),
    ("https://0x7f.1/", NUMBER),
    ("https://0X7F.0.0.1/", NUMBER),
    ("https://017700000001/", NUMBER),
    ("https://0177.0.0.1/", NUMBER),
    ("https://127.000.000.001/", NUMBER),
    ("https://127.1/", NUMBER),
    ("https://127.0.1/", NUMBER),
    ("https://0/", NUMBER),
    ("https://256.0.0.1/", NUMBER),
    ("https://127.0.0.1.2/", NUMBER),
    ("https://hooks.example.com.0x7f/", NUMBER),
    ("https://127.0.0.1./", "The host must not end in a dot."),
    ("https://localhost./", "The host must not end in a dot."),
    ("https://%31%32%37.0.0.1/", "without percent-encoding"),
    ("https://127%2e0%2e0%2e1/", "without percent-encoding"),
    ("https://loc%61lhost/", "without percent-encoding"),
    ("https://\uff11\uff12\uff17.\uff10.\uff10.\uff11/", ASCII),
    ("https://①②⑦.⓪.⓪.①/", ASCII),
    ("https://127。0。0。1/", ASCII),
    ("https://hooks.exämple.com/", ASCII),
    # Addresses that are not public
    ("https://127.0.0.1/", ALLOW),
    ("https://0.0.0.0/", ALLOW),
    ("https://10.0.0.5/", ALLOW),
    ("https://172.16.0.1:8443/", ALLOW),
    ("https://192.168.1.1/", ALLOW),
    ("https://100.100.100.200/latest/meta-data/", ALLOW),
    ("https://169.254.169.254/latest/meta-data/", ALLOW),
    ("https://168.63.129.16/", ALLOW),
    ("https://192.0.2.1/", ALLOW),
    ("https://224.0.0.1/", ALLOW),
    ("https://255.255.255.255/", ALLOW),
    ("https://[::]/", ALLOW),
    ("https://[::1]/", ALLOW),
    ("https://[0:0:0:0:0:0:0:1]:8443/", ALLOW),
    ("https://[::ffff:127.0.0.1]/", ALLOW),
    ("https://[::ffff:7f00:1]/", ALLOW),
    ("https://[::127.0.0.1]/", ALLOW),
    ("https://[64:ff9b::169.254.169.254]/", ALLOW),
    ("https://[64:ff9b:1::1]/", ALLOW),
    ("https://[2001::1]/", ALLOW),
    ("https://[2002:7f00:1::]/", ALLOW),
    ("https://[fc00::1]/", ALLOW),
    ("https://[fd00:ec2::254]/", ALLOW),
    ("https://[fe80::1]/", ALLOW),
    ("https://[fec0::1]/", ALLOW),
    ("https://[ff02::1]/", ALLOW),
    ("https://[fe80::1%25eth0]/", BRACKETS),
    ("https://[fe80::1%eth0]/", BRACKETS),
    ("https://[::ffff:0177.0.0.1]/", BRACKETS),
    ("https://[127.0.0.1]/", BRACKETS),
    ("https://[hooks.example.com]/", BRACKETS),
    ("https://[::1/", HOST),
    ("https://::1/", HOST),
    # Names
    ("https://hooks..example.com/", NAME),
    ("https://.example.com/", NAME),
    ("https://-hooks.example.com/", NAME),
    ("https://" + "a" * 64 + ".example.com/", NAME),
    ("https://" + "a." * 130 + "com/", NAME),
    ("https://hooks_example*com/", NAME),
    ("https://hooks.example.com;evil.test/", NAME),
    ("https://$(reboot).example.com/", NAME),
    ("https://localhost/", ALLOW),
    ("https://LOCALHOST:8443/", LOCAL),
    ("https://loop.example.com/", ALLOW),
    ("https://inside.example.com/", ALLOW),
    ("https://mapped.example.com/", ALLOW),
    ("https://metadata.google.internal/computeMetadata/v1/", ALLOW),
    ("https://intranet/", ALLOW),
    ("https://unknown/", LOCAL),
    ("https://app.localhost/", LOCAL),
    ("https://printer.local/", LOCAL),
    ("https://Vault.Internal/", LOCAL),
    ("https://nas.home.arpa/", LOCAL),
]


async def ask(url: str, mode: Mode = "live", policy: Policy = STRICT) -> str | None:
    return await refusal(url, mode, policy, NAMES.look_up)


@pytest.mark.parametrize(("url", "reason"), HOSTILE)
async def test_a_hostile_url_is_refused_in_live_mode_with_a_sentence(url: str, reason: str) -> None:
    told = await ask(url)

    assert told is not None
    assert reason in told
    assert told[0].isupper()
    assert told.endswith(".")


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com",
        "https://hooks.example.com/",
        "HTTPS://Hooks.Example.Com/owed",
        "https://hooks.example.com:8443/owed?shop=1&x=%20",
        "https://hooks.example.com?shop=1",
        "https://hooks.example.com/a@b:c/~d;e=[f]{g}|h^`",
        "https://my_service.example.com/",
        "https://xn--exmple-cua.com/",
        "https://93.184.215.14/owed",
        "https://[2606:4700:4700::1111]/owed",
        "https://[2606:4700:4700::1111]:8443/owed",
        "https://not-yet-there.example.com/",
        "https://mixed.example.com/",
    ],
)
async def test_a_public_receiver_is_taken_in_both_modes(url: str) -> None:
    assert [await ask(url, "live"), await ask(url, "test")] == [None, None]


async def test_in_test_mode_http_will_do() -> None:
    assert await ask("http://hooks.example.com:8080/owed", "test") is None
    assert await ask("ftp://hooks.example.com/", "test") == "This must begin with https:// or http://."


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:3000/", "http://localhost:3000/hook", "https://[::1]/", "http://loop.example.com/"]
)
async def test_loopback_is_taken_in_test_mode_where_the_service_itself_is_heard_nowhere_else(url: str) -> None:
    assert await ask(url, "test", AT_HOME) is None
    assert await ask(url, "test", STRICT) is not None
    assert await ask(url.replace("http:", "https:"), "live", AT_HOME) is not None


@pytest.mark.parametrize(
    "url", ["http://10.0.0.5/", "http://169.254.169.254/", "http://inside.example.com/", "http://intranet/"]
)
async def test_nothing_else_that_is_not_public_is_taken_in_test_mode(url: str) -> None:
    assert ALLOW in str(await ask(url, "test", AT_HOME))


@pytest.mark.parametrize(
    "url", ["https://10.0.0.5/", "https://intranet/", "https://billing.internal/", "https://inside.example.com/"]
)
async def test_the_operator_opens_networks_in_both_modes(url: str) -> None:
    policy = Policy((ip_network("10.0.0.0/24"),), loopback=False)

    assert [await ask(url, "live", policy), await ask(url, "test", policy)] == [None, None]


async def test_a_name_is_looked_up_only_when_all_else_is_right() -> None:
    names = Names()
    for url in ("http://hooks.example.com/", "https://hooks.example.com:0/", "https://10.0.0.5/", "https://127.1/"):
        assert await refusal(url, "live", STRICT, names.look_up) is not None

    assert names.asked == []


async def test_a_name_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "LOOK_UP_SECONDS", 0.01)

    async def silence(_: str) -> list[Address]:
        await asyncio.Event().wait()
        return []

    assert await refusal("https://hooks.example.com/", "live", STRICT, silence) is None
    assert LOCAL in str(await refusal("https://intranet/", "live", STRICT, silence))
