"""The client's trusted address, and its preferred language."""

import pytest

from shared.web.client_ip import network
from tests.conftest import Configure
from tests.events import invoke
from tests.shared.web.mirror import mirror

pytestmark = pytest.mark.usefixtures("configure")

ENGLISH, CHINESE = "There is nothing here.", "未找到相应内容。"


def lost(*, lang: str | None = None, accept: str | None = None) -> str:
    query = {} if lang is None else {"lang": lang}
    headers = {} if accept is None else {"Accept-Language": accept}
    message: str = invoke(mirror, "GET", "/nowhere", query=query, headers=headers).json["message"]
    return message


@pytest.mark.parametrize(
    ("accept", "message"),
    [
        (None, ENGLISH),
        ("", ENGLISH),
        ("zh", CHINESE),
        ("zh-CN,zh;q=0.9,en;q=0.8", CHINESE),
        ("ZH-hant-TW", CHINESE),
        ("en-GB,en;q=0.9,zh;q=0.8", ENGLISH),
        ("en;q=0.2, zh;q=0.7", CHINESE),
        ("en; q=0.7 , zh ; q=0.2", ENGLISH),
        ("fr, de;q=0.9", ENGLISH),
        ("fr, zh;q=0.1", CHINESE),
        ("zh;q=0", ENGLISH),
        ("zh;q=0, en;q=0", ENGLISH),
        ("zh;q=wrong", CHINESE),
        ("zh;q=1.2.3", ENGLISH),
        ("*", ENGLISH),
        ("ca-ES-valencia, zh;q=0.5", CHINESE),
        ("zh" * 4000, CHINESE),
    ],
)
def test_messages_are_in_the_language_the_client_likes_best(
    accept: str | None, message: str
) -> None:
    assert lost(accept=accept) == message


@pytest.mark.parametrize(
    ("lang", "accept", "message"),
    [
        ("zh", "en", CHINESE),
        ("en", "zh", ENGLISH),
        ("zh-CN", "en", CHINESE),
        ("EN_us", "zh", ENGLISH),
        ("fr", "zh", CHINESE),
        ("", "zh", CHINESE),
    ],
)
def test_a_lang_parameter_beats_accept_language(lang: str, accept: str, message: str) -> None:
    assert lost(lang=lang, accept=accept) == message


def ip(*, ip: str = "203.0.113.7", forwarded: str | None = None) -> str:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return str(invoke(mirror, "GET", "/mirror", ip=ip, headers=headers).data["client_ip"])


@pytest.mark.parametrize(
    "forwarded", [None, "", "1.1.1.1", "1.1.1.1, 2.2.2.2", "203.0.113.7", ",,,", "<script>"]
)
def test_with_no_proxy_of_ours_nothing_a_client_writes_counts(forwarded: str | None) -> None:
    assert ip(forwarded=forwarded) == "203.0.113.7"


@pytest.mark.parametrize(
    ("hops", "forwarded", "address"),
    [
        ("1", "198.51.100.1", "198.51.100.1"),
        ("1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("1", "6.6.6.6, 198.51.100.1, 203.0.113.7", "198.51.100.1"),
        ("2", "6.6.6.6, 198.51.100.1, 10.0.0.1", "198.51.100.1"),
        ("2", "198.51.100.1", "198.51.100.1"),
        ("1", None, "203.0.113.7"),
        ("1", "unreadable", "unknown"),
        ("1", "198.51.100.1:5678", "198.51.100.1"),
        ("1", "[2001:db8::1]:443", "2001:db8::1"),
        ("1", "[2001:DB8::1]", "2001:db8::1"),
        ("1", "fe80::1%eth0", "fe80::1"),
        ("1", "[::ffff:198.51.100.1]:80", "198.51.100.1"),
        ("1", "198.51.100.1:5678, 203.0.113.7:443", "198.51.100.1"),
        ("1", "198.51.100.1:", "unknown"),
        ("1", "198.51.100.1:5678:9", "unknown"),
        ("1", "[2001:db8::1]x", "unknown"),
        ("1", "2001:db8::1:443", "2001:db8::1:443"),
        ("1", " 2001:DB8::1 ", "2001:db8::1"),
    ],
)
def test_each_trusted_proxy_moves_one_entry_to_the_left(
    configure: Configure, hops: str, forwarded: str | None, address: str
) -> None:
    configure(TRUSTED_PROXY_HOPS=hops)

    assert ip(forwarded=forwarded) == address


def test_where_the_platform_names_no_peer_the_rightmost_entry_counts() -> None:
    assert ip(ip="", forwarded="6.6.6.6, 198.51.100.1") == "198.51.100.1"
    assert ip(ip="") == "unknown"


def test_a_peer_with_a_port_is_its_address() -> None:
    assert ip(ip="203.0.113.7:5678") == ip(ip="", forwarded="6.6.6.6, 203.0.113.7:5678")
    assert ip(ip="[2001:db8::1]:443", forwarded="[2001:db8::1]:80") == "2001:db8::1"


def test_an_ipv4_address_in_ipv6_clothes_is_the_same_client() -> None:
    assert ip(ip="::ffff:203.0.113.7") == "203.0.113.7"


@pytest.mark.parametrize(
    ("address", "shared"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_an_ipv6_household_is_one_client(address: str, shared: str) -> None:
    assert network(address) == shared
