"""Who is calling: the address that counts, and the language to answer in. Does no I/O."""

import ipaddress
import re

# A language range and its weight (RFC 9110, 12.5.4); what is neither zh nor en is passed over.
_ACCEPTED = re.compile(r"(?<![\w-])(zh|en)[\w-]*\s*(?:;\s*q\s*=\s*([\d.]{1,5}))?")


def address(source_ip: str, forwarded_for: str, trusted_hops: int) -> str:
    """The client's IP address as far as it can be trusted, or "unknown".

    Each proxy appends the peer it saw, so only the rightmost entries are worth
    anything: the platform's own, then one for each proxy of ours in front of
    it. What stands left of them is whatever the client wrote.
    """
    chain = [entry.strip() for entry in forwarded_for.split(",") if entry.strip()]
    if source_ip and chain[-1:] != [source_ip]:
        chain.append(source_ip)
    if not chain:
        return "unknown"
    return _canonical(chain[max(len(chain) - 1 - trusted_hops, 0)])


def _canonical(entry: str) -> str:
    try:
        given = ipaddress.ip_address(entry.strip("[]"))
    except ValueError:
        return "unknown"
    return str(getattr(given, "ipv4_mapped", None) or given)


def network(ip: str) -> str:
    """What one household or phone shares: the IPv4 address, or the IPv6 /64."""
    if ":" not in ip:
        return ip
    return str(ipaddress.ip_network((ip, 64), strict=False))


def language(asked: str, accepted: str) -> str:
    """`zh` or `en`: what `?lang=` asks for, else the best of Accept-Language, else `en`."""
    if asked[:2].lower() in {"zh", "en"}:
        return asked[:2].lower()
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
