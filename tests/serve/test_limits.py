"""What bounds a server, and where it may listen."""

from __future__ import annotations

import pytest

from kinfold.serve.limits import Limits, is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "photos.example"])
def test_an_address_that_others_reach_needs_a_token(host) -> None:
    assert not is_loopback(host)
    with pytest.raises(ValueError, match="host: .* token is needed"):
        Limits(host=host)
    assert Limits(host=host, token="a" * 8).token


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_alone_needs_none(host) -> None:
    assert Limits(host=host).token is None


@pytest.mark.parametrize("token", ["", "short", "with space", "späße-und-mehr", "semi;colon"])
def test_a_token_is_long_enough_and_plain(token) -> None:
    with pytest.raises(ValueError, match="token: expected"):
        Limits(token=token)
