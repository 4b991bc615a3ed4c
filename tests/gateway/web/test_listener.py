"""The listening address of HTTP."""

import pytest

from crossbook.common.errors import ConfigError
from crossbook.gateway.web.listener import listening


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]", "localhost"])
def test_an_address_in_use_is_refused_by_name_before_any_client_is_served(host: str) -> None:
    with listening(host, 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            listening(host, port)
    assert str(caught.value) == (
        f"cannot bind API_HOST={host}, API_PORT={port}: Address already in use; end the process "
        "that has it, or set API_PORT to another port"
    )


def test_the_host_of_another_machine_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"cannot bind API_HOST=192\.0\.2\.1, API_PORT=8000: "):
        listening("192.0.2.1", 8000)
