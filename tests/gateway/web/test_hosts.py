"""The host names under which a gateway answers."""

import pytest

from crossbook.common.errors import ConfigError
from crossbook.gateway.problem import Problem
from crossbook.gateway.web.hosts import AllowedHosts, allowed_origins, is_same_origin

HOSTS = AllowedHosts(("Trade.Example", "10.1.2.3", "2001:db8::1"), bound="0.0.0.0")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "localhost.",
        "localhost.:65535",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.9.9.9",
        "[::1]",
        "[0:0:0:0:0:0:0:1]:8000",
        "trade.example",
        "TRADE.EXAMPLE.:443",
        "10.1.2.3:8000",
        "[2001:DB8::1]",
        "192.168.7.7:8000",
    ],
)
def test_loopback_configured_names_and_the_address_of_the_connection_are_allowed(host: str) -> None:
    assert HOSTS.check([host.encode()], "192.168.7.7") == host


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "evil-localhost",
        "127.0.0.1.evil.example",
        "trade.example.evil",
        "0.0.0.0",
        "[::]",
        "192.168.7.8",
        "2130706433",
        "127.1",
        "0x7f.0.0.1",
        "[::ffff:10.9.9.9]",
    ],
)
def test_any_other_name_is_refused_and_the_setting_named(host: str) -> None:
    with pytest.raises(Problem) as caught:
        HOSTS.check([host.encode()], "192.168.7.7")
    assert (caught.value.status, caught.value.detail.field) == (403, "Host")
    assert "ALLOWED_HOSTS" in caught.value.detail.message
    assert host.strip("[]").rpartition(":")[0] or host in caught.value.detail.message


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b"localhost", b"localhost"],
        [b""],
        [b"local host"],
        [b"localhost:"],
        [b"localhost:0"],
        [b"localhost:65536"],
        [b"localhost:80a"],
        [b"localhost:8000:8000"],
        [b"me@localhost"],
        [b"localhost/evil"],
        [b"localhost,evil.example"],
        [b"::1"],
        [b"[::1"],
        [b"[127.0.0.1]"],
        [b"[::1%eth0]"],
        [b"."],
        [b"l\xc3\xb6calhost"],
        [b"x" * 300],
    ],
)
def test_a_header_with_no_host_or_several_is_refused(values: list[bytes]) -> None:
    with pytest.raises(Problem) as caught:
        HOSTS.check(values, "")
    assert (caught.value.status, caught.value.detail.field) == (400, "Host")


@pytest.mark.parametrize(
    ("target", "fine"),
    [(b"LOCALHOST:80", True), (b"localhost", False), (b"evil", False), (b"me@localhost:80", False)],
)
def test_the_host_of_the_target_is_that_of_the_header(target: bytes, fine: bool) -> None:
    if fine:
        HOSTS.check([b"localhost:80"], "", [target])
        return
    with pytest.raises(Problem, match="target"):
        HOSTS.check([b"localhost:80"], "", [target])


@pytest.mark.parametrize("name", ["a:80", "*", "*.example", "a b", "", "http://a", "a/b"])
def test_a_setting_that_is_no_name_is_refused_at_start(name: str) -> None:
    with pytest.raises(ConfigError, match="ALLOWED_HOSTS"):
        AllowedHosts((name,))


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://localhost:8000", "localhost:8000", True),
        ("http://LOCALHOST.:8000", "localhost:8000", True),
        ("http://localhost", "localhost:80", True),
        ("https://trade.example", "trade.example", True),
        ("https://trade.example", "trade.example:443", True),
        ("http://[::1]:8000", "[0::1]:8000", True),
        ("http://localhost:8001", "localhost:8000", False),
        ("http://localhost", "localhost:443", False),
        ("http://127.0.0.1:8000", "localhost:8000", False),
        ("null", "localhost", False),
        ("", "localhost", False),
        ("file://localhost", "localhost", False),
        ("localhost", "localhost", False),
        ("http://localhost:8000/", "localhost:8000", False),
    ],
)
def test_a_page_is_of_the_address_it_names(origin: str, host: str, same: bool) -> None:
    assert is_same_origin(origin, host) == same


@pytest.mark.parametrize(
    "origin",
    ["*", "charts.example", "https://charts.example/", "https://Charts.example", "ftp://a",
     "https://charts.example:443", "null", "https://*.example"],
)  # fmt: skip
def test_an_origin_is_configured_as_browsers_send_it(origin: str) -> None:
    with pytest.raises(ConfigError, match="CORS_ORIGINS"):
        allowed_origins((origin,))
    fine = ("https://charts.example", "http://localhost:3000")
    assert allowed_origins(fine) == fine
