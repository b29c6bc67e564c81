"""What the URL of an endpoint may be. Every refusal is a sentence that says what would be right."""

import asyncio
import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from owed.model.access import Mode
from owed.webhooks.addresses import Address, Policy
from owed.webhooks.resolver import LookUp, look_up

LONGEST: Final = 2048
LOOK_UP_SECONDS: Final = 2.0

_CHARACTERS = re.compile(r"[!-\[\]-~]*", re.ASCII)
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#]*)[^#]*(#.*)?", re.ASCII | re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::(.*))?", re.ASCII)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)
_LOCAL = (".localhost", ".local", ".internal", ".home.arpa")


class UnusableUrl(ValueError):
    """A URL cannot be that of an endpoint; in a sentence."""


async def refusal(url: str, mode: Mode, policy: Policy, look_up: LookUp = look_up) -> str | None:
    """Say why a URL cannot be that of an endpoint; None: it can, as far as can be known now."""
    try:
        host = host_of(url, mode)
    except UnusableUrl as error:
        return str(error)
    if isinstance(host, str):
        return await _refusal_of_name(host, mode, policy, look_up)
    reason = policy.refusal(host, mode)
    return reason and f"The host may not be reached: {reason}."


def host_of(url: str, mode: Mode) -> Address | str:
    """Read the host of a URL: an address, or a name that is to be resolved.

    Raises:
        UnusableUrl: No webhook goes to such a URL, whatever the network is like.
    """
    if len(url) > LONGEST:
        raise UnusableUrl(f"This must have at most {LONGEST} characters.")
    if not _CHARACTERS.fullmatch(url):
        raise UnusableUrl(
            "This must be printable ASCII without spaces and backslashes: "
            "an international name in its ASCII form (xn--...), all else percent-encoded."
        )
    match = _URL.fullmatch(url)
    if match is None or match[1].lower() not in _schemes(mode):
        raise UnusableUrl(f"This must begin with {' or '.join(f'{scheme}://' for scheme in _schemes(mode))}.")
    if match[3]:
        raise UnusableUrl("This must not have a fragment (#...): no server would ever see it.")
    return _host_of_authority(match[2])


def _schemes(mode: Mode) -> tuple[str, ...]:
    return ("https", "http") if mode == "test" else ("https",)


def _host_of_authority(authority: str) -> Address | str:
    if "@" in authority:
        raise UnusableUrl("This must not hold a user or a password: a receiver knows us by the signature.")
    match = _AUTHORITY.fullmatch(authority)
    if match is None or not match[1]:
        raise UnusableUrl("This must name a host, as https://hooks.example.com/owed does.")
    host, port = match.groups()
    if port is not None and not (_PORT.fullmatch(port) and int(port) <= 65_535):
        raise UnusableUrl("The port must be a number between 1 and 65535, as in https://hooks.example.com:8443/owed.")
    return _ipv6(host[1:-1]) if host.startswith("[") else _ipv4_or_name(host)


def _ipv6(text: str) -> Address:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        address = None
    if address is None or address.scope_id is not None:
        raise UnusableUrl(
            "What stands in brackets must be an IPv6 address without a zone, as in https://[2600::1]/owed."
        )
    return address


def _ipv4_or_name(host: str) -> Address | str:
    *_, last = labels = host.split(".")
    if "%" in host:
        raise UnusableUrl("The host must be written as it is, without percent-encoding.")
    if not last:
        raise UnusableUrl("The host must not end in a dot.")
    if _NUMBER.fullmatch(last):
        return _ipv4(host)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise UnusableUrl(
            "The host must be a name such as hooks.example.com: letters, digits and hyphens between dots."
        )
    return host


def _ipv4(text: str) -> Address:
    try:
        return IPv4Address(text)
    except AddressValueError as error:
        raise UnusableUrl(
            "A host that ends in a number must be an IPv4 address, "
            "written as four decimal numbers without leading zeros, such as 192.0.2.1."
        ) from error


async def _refusal_of_name(name: str, mode: Mode, policy: Policy, look_up: LookUp) -> str | None:
    try:
        async with asyncio.timeout(LOOK_UP_SECONDS):
            addresses = await look_up(name)
    except (OSError, UnicodeError):
        return _refusal_of_unknown(name.lower())
    reasons = [policy.refusal(address, mode) for address in addresses]
    return None if None in reasons or not reasons else f"No address of the host may be reached: {reasons[0]}."


def _refusal_of_unknown(name: str) -> str | None:
    """Refuse a name that can only mean something nearby; any other may be known to the world tomorrow."""
    if "." in name and not name.endswith(_LOCAL):
        return None
    return (
        f"The host {name} does not resolve, and such a name is never public: it must be one such as hooks.example.com."
    )
