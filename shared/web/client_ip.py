"""The client's trusted IP address, its network, and its preferred language. Does no I/O."""

import ipaddress
import re

# A language range and its weight (RFC 9110, 12.5.4); languages other than zh and en are ignored.
_ACCEPTED = re.compile(r"(?<![\w-])(zh|en)[\w-]*\s*(?:;\s*q\s*=\s*([\d.]{1,5}))?")
# An IPv6 address in brackets, or an IPv4 address, and maybe a port.
_WITH_PORT = re.compile(r"(?:\[([^\[\]]+)\]|([\d.]+))(?::\d{1,5})?")


def address(source_ip: str, forwarded_for: str, trusted_hops: int) -> str:
    """The client's IP address as far as it can be trusted, or "unknown".

    Each proxy appends its peer's address, so only the rightmost entries are
    trustworthy: the platform's own, then one for each of our proxies in front of
    it. The entries to the left of them come from the client.
    """
    chain = [_canonical(entry.strip()) for entry in forwarded_for.split(",") if entry.strip()]
    if source_ip and chain[-1:] != [_canonical(source_ip)]:
        chain.append(_canonical(source_ip))
    if not chain:
        return "unknown"
    return chain[max(len(chain) - 1 - trusted_hops, 0)]


def _canonical(entry: str) -> str:
    """The address of an entry, which may have a port: `192.0.2.1:443`, `[2001:db8::1]:443`."""
    match = _WITH_PORT.fullmatch(entry)
    try:
        parsed = ipaddress.ip_address((match[1] or match[2] if match else entry).partition("%")[0])
    except ValueError:
        return "unknown"
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def network(ip: str) -> str:
    """The network of one household or phone: the IPv4 address, or the IPv6 /64."""
    if ":" not in ip:
        return ip
    return str(ipaddress.ip_network((ip, 64), strict=False))


def language(parameter: str, accepted: str) -> str:
    """`zh` or `en`: the value of `?lang=`, else the best of Accept-Language, else `en`."""
    if parameter[:2].lower() in {"zh", "en"}:
        return parameter[:2].lower()
    best, best_quality = "en", 0.0
    for tag, quality in _ACCEPTED.findall(accepted.lower()):
        weight = _quality(quality)
        if weight > best_quality:
            best, best_quality = tag, weight
    return best


def _quality(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
