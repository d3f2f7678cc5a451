"""Which URLs may be fetched, and which addresses may be connected to."""

import ipaddress

import pytest

from antiphon.web.policy import FetchPolicy, Refused, Target, networks

ANY = FetchPolicy()


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("https://example.org/a.png?x=1#y", Target("https", "example.org", 443, "/a.png?x=1"), "example.org"),
        ("http://EXAMPLE.org:8080", Target("http", "example.org", 8080, "/"), "example.org:8080"),
        ("http://[2606:4700::1111]/x", Target("http", "2606:4700::1111", 80, "/x"), "[2606:4700::1111]"),
    ],
)
def test_a_url_is_read_into_what_is_asked_of_whom(url: str, target: Target, authority: str) -> None:
    assert ANY.target(url) == target
    assert target.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://example.org/",
        "//example.org/",
        "http://",
        "http://user:secret@example.org/",
        "http://example.org@127.0.0.1/",
        "http://example.org:99999/",
        "http://example.org\\@127.0.0.1/",
        "http://example.org/a b",
        "http://example.org/\r\nHost: x",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://127.1/",
        "http://exa mple.org/",
        "http://-example.org/",
        "http://bücher.example/",
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        ANY.target(url)


@pytest.mark.parametrize(
    ("hosts", "host", "allowed"),
    [
        (("cdn.example.org",), "cdn.example.org", True),
        (("cdn.example.org",), "CDN.example.org.", True),
        (("cdn.example.org",), "evil-cdn.example.org", False),
        (("*.example.org",), "a.b.example.org", True),
        (("*.example.org",), "example.org", False),
        (("*.example.org",), "evilexample.org", False),
        ((), "example.org", False),
    ],
)
def test_hosts_are_allowed_by_name_or_by_domain(hosts: tuple[str, ...], host: str, allowed: bool) -> None:
    policy = FetchPolicy(hosts=hosts)
    if allowed:
        assert policy.target(f"https://{host}/").host == host.lower()
    else:
        with pytest.raises(Refused, match="host may not be fetched"):
            policy.target(f"https://{host}/")


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::ffff:169.254.169.254"),
    ],
)
def test_an_address_that_is_not_public_is_refused_in_every_disguise(address: str) -> None:
    with pytest.raises(Refused, match="not public"):
        ANY.check([address])
    with pytest.raises(Refused, match="not public"):
        ANY.check(["93.184.216.34", address])


def test_a_private_network_may_be_opened() -> None:
    policy = FetchPolicy(networks=networks(["10.1.0.0/16", "fd00::/8"]))
    assert policy.check(["10.1.2.3"]) == "10.1.2.3"
    assert policy.check(["fd00::7"]) == "fd00::7"
    with pytest.raises(Refused):
        policy.check(["10.2.0.1"])


def test_the_first_of_several_public_addresses_is_taken() -> None:
    assert ANY.check(["93.184.216.34", "2606:4700::1111"]) == "93.184.216.34"
    assert ipaddress.ip_address(ANY.check(["2606:4700::1111"])).version == 6


def test_a_name_without_an_address_is_refused() -> None:
    with pytest.raises(Refused, match="no address"):
        ANY.check([])
