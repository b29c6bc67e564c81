"""Which addresses may be reached. The table follows IANA's registries of special-purpose addresses."""

from ipaddress import ip_address, ip_network

import pytest

from owed.model.access import Mode
from owed.webhooks.addresses import Policy

STRICT = Policy((), loopback=False)
AT_HOME = Policy((), loopback=True)
MODES: tuple[Mode, Mode] = ("test", "live")


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.1.2.3"),  # noqa: S104  (nothing is bound)
        *("10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255"),
        *("100.64.0.1", "100.127.255.255", "100.100.100.200"),
        *("127.0.0.1", "127.255.255.255"),
        *("169.254.0.1", "169.254.169.254", "169.254.170.2"),
        *("168.63.129.16", "192.0.0.1", "192.0.0.192", "192.0.0.255"),
        *("192.0.2.1", "198.51.100.1", "203.0.113.255"),
        *("192.31.196.1", "192.52.193.1", "192.88.99.1", "192.175.48.1"),
        *("198.18.0.1", "198.19.255.255"),
        *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.254", "255.255.255.255"),
        *("::", "::1", "::2", "::127.0.0.1", "::8.8.8.8"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0"),
        *("64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::8.8.8.8"),
        *("100::1", "100:0:0:1::1"),
        *("2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:1::1", "2001:2::1", "2001:10::1", "2001:20::1"),
        *("2001:db8::1", "3fff::1", "3fff:fff::1"),
        *("2002:7f00:1::", "2002:808:808::1", "2620:4f:8000::1"),
        *("5f00::1", "4000::1", "8000::1"),
        *("fc00::1", "fd00:ec2::254", "fd20:ce::254", "fdff::1"),
        *("fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "feff::1"),
        *("ff02::1", "ff0e::1"),
    ],
)
def test_what_is_not_public_is_refused_in_both_modes_and_told_how_to_open(address: str) -> None:
    for mode in MODES:
        refusal = STRICT.refusal(ip_address(address), mode)

        assert refusal is not None
        assert refusal.startswith(f"{ip_address(address)} is not a public address (")
        assert "OWED_WEBHOOK_ALLOW" in refusal


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
        *("128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255"),
        *(
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
        ),
        *("2000::1", "2001:200::1", "2001:4860:4860::8888", "2600::1", "2606:4700::1111", "2a00::1", "3ffe:ffff::1"),
        *("::ffff:8.8.8.8", "64:ff9b::8.8.8.8"),
    ],
)
def test_what_is_public_is_reached_in_both_modes(address: str) -> None:
    assert [STRICT.refusal(ip_address(address), mode) for mode in MODES] == [None, None]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_reached_in_test_mode_alone_where_the_service_itself_is_heard_nowhere_else(address: str) -> None:
    refusals = [AT_HOME.refusal(ip_address(address), mode) for mode in MODES]

    assert refusals[0] is None
    assert refusals[1] is not None


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::", "fe80::1", "::127.0.0.1", "0.1.2.3"])
def test_loopback_opens_nothing_but_loopback(address: str) -> None:
    assert AT_HOME.refusal(ip_address(address), "test") is not None


def test_the_operator_opens_networks_in_both_modes_and_nothing_beside_them() -> None:
    policy = Policy((ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")), loopback=False)
    opened = ["10.1.0.1", "10.1.255.255", "::ffff:10.1.0.1", "fd00:1::5"]
    closed = ["10.0.255.255", "10.2.0.0", "fd00:2::5", "127.0.0.1"]

    assert [policy.refusal(ip_address(address), mode) for address in opened for mode in MODES] == [None] * 8
    assert all(policy.refusal(ip_address(address), mode) for address in closed for mode in MODES)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("169.254.169.254", "link-local"),
        ("168.63.129.16", "a cloud's own"),
        ("255.255.255.255", "broadcast"),
        ("::1", "loopback"),
        ("2001:db8::1", "for documentation"),
        ("2002:7f00:1::", "of a tunnel to IPv4"),
        ("5f00::1", "not assigned to the public internet"),
    ],
)
def test_a_refusal_says_what_the_address_is(address: str, kind: str) -> None:
    assert f"({kind})" in str(STRICT.refusal(ip_address(address), "live"))
