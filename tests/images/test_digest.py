from __future__ import annotations

import hashlib

import pytest

from kinfold.images.digest import content_digest


def test_digest_is_of_the_content_alone(tmp_path) -> None:
    for size in (0, 1, 1 << 20, (1 << 20) + 1):
        data = bytes(i % 251 for i in range(1000)) * (size // 1000) + b"z" * (size % 1000)
        (tmp_path / "a").write_bytes(data)
        (tmp_path / "b").write_bytes(data)
        digest = content_digest(tmp_path / "a")
        assert (
            digest
            == content_digest(str(tmp_path / "b"))
            == hashlib.blake2b(data, digest_size=20).hexdigest()
        )
        (tmp_path / "b").write_bytes(data + b"!")
        assert content_digest(tmp_path / "b") != digest


def test_absent_file(tmp_path) -> None:
    with pytest.raises(FileNotFoundError):
        content_digest(tmp_path / "absent")
