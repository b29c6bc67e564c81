"""Which addresses webhooks may reach: public ones, and what the operator allows.

The networks are listed here, from IANA's registries of special-purpose addresses, so that what is refused does not
depend on what a version of Python knows.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

from owed.model.access import Mode
from owed.settings import Network

Address = IPv4Address | IPv6Address

LOOPBACK: Final = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))

NOT_PUBLIC: Final[dict[str, tuple[str, ...]]] = {
    "unspecified": ("0.0.0.0/8", "::/128"),
    "loopback": ("127.0.0.0/8", "::1/128"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    "shared by the customers of a carrier": ("100.64.0.0/10",),
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "site-local": ("fec0::/10",),
    "a cloud's own": ("168.63.129.16/32",),
    "for documentation": ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    "for benchmarks": ("198.18.0.0/15", "2001:2::/48"),
    "for protocols": ("192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24", "2620:4f:8000::/48"),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "broadcast": ("255.255.255.255/32",),
    "reserved": ("240.0.0.0/4",),
    "of a tunnel to IPv4": ("192.88.99.0/24", "2002::/16", "2001::/32", "64:ff9b:1::/48", "::/96"),
    "not assigned to the public internet": ("2001::/23", "::/3", "4000::/2", "8000::/1"),
}
"""What an address is that is not public, the first that holds; of IPv6 only 2000::/3 is given out at all."""

_KINDS = [(ip_network(text), kind) for kind, texts in NOT_PUBLIC.items() for text in texts]

_EMBEDDING = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
"""IPv4-mapped, and what a public NAT64 translates: an address of these is the IPv4 address in its last 32 bits."""


class Policy:
    """Decides which addresses may be reached."""

    def __init__(self, allow: tuple[Network, ...], *, loopback: bool) -> None:
        """Make a policy.

        Args:
            allow: What the operator opens, in both modes.
            loopback: Whether test mode may reach this machine, as where the service itself is heard nowhere else.
        """
        self._allow = allow
        self._allow_in_test = (*allow, *LOOPBACK) if loopback else allow

    def refusal(self, address: Address, mode: Mode) -> str | None:
        """Say why an address may not be reached, and what would open it; None: it may."""
        meant = _meant(address)
        allowed = self._allow_in_test if mode == "test" else self._allow
        if any(meant in network or address in network for network in allowed):
            return None
        kind = next((kind for network, kind in _KINDS if meant in network), None)
        return kind and (
            f"{address} is not a public address ({kind}); to let webhooks reach it, "
            "the operator names its network in OWED_WEBHOOK_ALLOW"
        )


def _meant(address: Address) -> Address:
    """Return the IPv4 address that one of IPv6 stands for, else the address itself."""
    if isinstance(address, IPv6Address) and any(address in network for network in _EMBEDDING):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
