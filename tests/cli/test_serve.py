"""``kinfold serve``: says where it is, ends without failure, refuses what is not safe."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from .conftest import check_error

for package in ("fastapi", "uvicorn", "python_multipart"):
    pytest.importorskip(package)


def test_it_says_where_it_is_answers_and_ends(city) -> None:
    command = [sys.executable, "-m", "kinfold", "serve", str(city), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        address = re.match(r"(http://127\.0\.0\.1:\d+/) serves ", line)[1]
        with urllib.request.urlopen(f"{address}api/health", timeout=20) as answer:
            assert json.load(answer)["photos"] == 9
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0 and process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_what_is_not_safe_or_not_there_is_refused(kinfold, city, tmp_path) -> None:
    environment = {"KINFOLD_TOKEN": ""}
    check_error(
        kinfold("serve", city, "--host", "0.0.0.0", environment=environment), "token is needed"
    )
    check_error(kinfold("serve", tmp_path / "none.kin"), "none.kin")
    check_error(kinfold("serve", city, "--port", "70000"), "expected a port")


def test_a_port_that_is_taken_is_named(kinfold, city) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        check_error(kinfold("serve", city, "--port", port), f"127.0.0.1:{port}", os.strerror(98))
