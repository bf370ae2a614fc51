"""Forbidden addresses of stored upstreams."""

import asyncio

import pytest

from shared.errors import UpstreamFailed
from shared.llm import client
from shared.llm.addresses import is_public, is_written_inside
from tests.fakes.upstream import Upstream
from tests.shared.llm.asking import model, scenario

INSIDE = [
    "10.0.0.1",
    "172.16.5.4",
    "192.168.1.1",
    "127.0.0.1",
    "0.0.0.0",  # noqa: S104  # to be refused
    "169.254.169.254",
    "100.100.100.200",
    "100.64.0.1",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fd00::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::ffff:100.100.100.200",
    "64:ff9b::a00:1",
    "2002:a00:1::",
    "2001:0:a00:1::",
    "2001:db8::1",
]
OUTSIDE = ["8.8.8.8", "47.93.1.1", "::ffff:8.8.8.8", "2400:3200::1", "2606:4700::1111"]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_some_network_is_not_public(address: str) -> None:
    assert not is_public(address)
    assert is_written_inside(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)
    assert not is_written_inside(address)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1", "1.2.3.4.5"])
def test_a_number_is_an_address_in_another_spelling(host: str) -> None:
    assert is_written_inside(host)


@pytest.mark.parametrize("host", ["api.example.com", "dashscope.aliyuncs.com.", "localhost", "a1"])
def test_a_name_has_yet_to_be_resolved(host: str) -> None:
    assert not is_public(host)
    assert not is_written_inside(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "127.1"])
def test_no_connection_is_made_into_a_network_whatever_the_host_is_called(
    host: str, fake: Upstream
) -> None:
    connections = fake.connections
    asked = model(fake.url.replace("127.0.0.1", host))

    async def ask() -> None:
        try:
            async with client.stream(
                asked, scenario("plain"), model="m", thinking=True, public_only=True
            ):
                pass
        finally:
            await client.close()

    with pytest.raises(UpstreamFailed) as refused:
        asyncio.run(ask())

    assert refused.value.context == {"reason": "NotPublic"}
    assert (fake.connections, fake.requests) == (connections, [])


def test_a_connection_that_was_kept_for_others_is_not_used(fake: Upstream) -> None:
    async def ask_twice() -> None:
        asked = model(fake.url)
        try:
            for public_only in (False, True):
                async with client.stream(
                    asked, scenario("plain"), model="m", thinking=True, public_only=public_only
                ) as events:
                    assert [event async for event in events]
        finally:
            await client.close()

    with pytest.raises(UpstreamFailed):
        asyncio.run(ask_twice())

    assert len(fake.requests) == 1
