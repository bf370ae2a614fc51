"""Public addresses, the only ones that stored upstreams may have."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# Addresses that embed IPv4 addresses (RFC 3056, 4380) do not count as public.
_GLOBAL = IPv6Network("2000::/3")
_TUNNELS = (IPv6Network("2002::/16"), IPv6Network("2001::/32"))
_PROTOCOLS = IPv4Network("192.0.0.0/24")  # RFC 6890; not every Python knows it


def is_public(address: str) -> bool:
    """False for private, shared, link-local and loopback addresses, and for other text.

    100.100.100.200, where Alibaba Cloud serves an instance its credentials, is in
    the shared space of RFC 6598.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    if isinstance(parsed, IPv4Address):
        return parsed.is_global and not parsed.is_multicast and parsed not in _PROTOCOLS
    is_tunnel = any(parsed in network for network in _TUNNELS)
    return parsed in _GLOBAL and parsed.is_global and not is_tunnel


def is_written_inside(host: str) -> bool:
    """Whether a host is a literal address, in any spelling, that is not public.

    Resolvers accept 127.1 and 0x7f000001 as addresses too; host names end in no number.
    """
    last = host.rstrip(".").rpartition(".")[2].lower()
    is_address = ":" in host or last.isdigit() or last.startswith("0x")
    return is_address and not is_public(host)
