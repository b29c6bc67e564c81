"""Names become addresses here and nowhere else, and only those that may be reached come out."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from owed.model.access import Mode
from owed.webhooks.addresses import Address, Policy

LookUp = Callable[[str], Awaitable[list[Address]]]
"""Gives the addresses of a name; raises an OSError where it has none."""

MOST: Final = 8
"""Addresses of one name that are tried."""

_threads = ThreadPoolExecutor(max_workers=256, thread_name_prefix="resolver")
"""Of their own: the system's resolver blocks, and one slow name server must hold up nothing but its own names."""


class AddressRefused(OSError):
    """Nothing that a name stands for may be reached; in words."""


async def look_up(name: str) -> list[Address]:
    """Ask the system's resolver.

    Raises:
        OSError: The name does not resolve.
    """
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(_threads, _ask, name)
    return [ip_address(str(sockaddr[0])) for *_, sockaddr in found]


def _ask(name: str) -> list[tuple[int, int, int, str, tuple[str | int, ...]]]:
    return socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)  # type: ignore[return-value]


class CheckedResolver(AbstractResolver):
    """Resolves for the webhooks of one mode."""

    def __init__(self, policy: Policy, mode: Mode, look_up: LookUp) -> None:
        self._policy = policy
        self._mode = mode
        self._look_up = look_up

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Give the addresses of a name that may be reached.

        Raises:
            AddressRefused: None of them may.
            OSError: The name does not resolve.
        """
        return [_result(host, address, port) for address in self._reachable(await self._look_up(host))]

    def _reachable(self, addresses: list[Address]) -> list[Address]:
        refusals = {address: self._policy.refusal(address, self._mode) for address in addresses}
        reachable = [address for address, refusal in refusals.items() if refusal is None]
        if not reachable:
            raise AddressRefused(next(iter(refusals.values()), "it has no address"))
        return reachable[:MOST]

    async def close(self) -> None:
        """Do nothing: it holds nothing."""


def _result(host: str, address: Address, port: int) -> ResolveResult:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return ResolveResult(
        hostname=host,
        host=str(address),
        port=port,
        family=family,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST,
    )
