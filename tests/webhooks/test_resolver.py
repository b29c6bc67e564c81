"""The resolver gives what may be reached, and nothing else."""

import socket
from ipaddress import ip_address

import pytest

from owed.webhooks.addresses import Policy
from owed.webhooks.resolver import MOST, AddressRefused, CheckedResolver, look_up
from tests.webhooks.names import Names

STRICT = Policy((), loopback=False)


async def resolved(addresses: str) -> list[str]:
    names = Names(hooks_example_com=addresses)
    return [
        found["host"]
        for found in await CheckedResolver(STRICT, "live", names.look_up).resolve("hooks.example.com", 443)
    ]


async def test_only_addresses_that_may_be_reached_come_out() -> None:
    assert await resolved("10.0.0.5 2600::1 ::1 8.8.8.8 ::ffff:127.0.0.1") == ["2600::1", "8.8.8.8"]


async def test_a_name_for_nothing_else_is_refused_with_the_reason() -> None:
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.5 is not a public address \(private\)"):
        await resolved("10.0.0.5 ::1")


async def test_a_name_for_nothing_is_refused() -> None:
    with pytest.raises(AddressRefused):
        await resolved("")


async def test_a_name_for_very_many_is_not_used_to_knock_at_all_of_them() -> None:
    assert len(await resolved(" ".join(f"8.8.8.{number}" for number in range(100)))) == MOST


async def test_a_name_that_is_not_known_is_an_error_of_the_system() -> None:
    with pytest.raises(socket.gaierror):
        await CheckedResolver(STRICT, "live", Names().look_up).resolve("gone.example.com", 443)


async def test_the_system_is_asked() -> None:
    found = await look_up("localhost")

    assert set(found) <= {ip_address("127.0.0.1"), ip_address("::1")}
    assert found
