"""A server that is told to stop answers what it was asked, and nothing that comes later."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from .conftest import Asker

SLOW = """
import sys, time
from pathlib import Path
from kinfold.serve import service
from kinfold.serve.limits import Limits
from kinfold.serve.run import serve

quick = service.Service.answer

def slow(self, *asked):
    while not Path(sys.argv[3]).exists():
        time.sleep(0.05)
    return quick(self, *asked)

service.Service.answer = slow
serve(sys.argv[1], port=0, limits=Limits(**eval(sys.argv[2])), ready=lambda at: print(at, flush=True))
"""


@pytest.fixture
def gate(tmp_path):
    """A file: until it is there, no search is answered."""
    return tmp_path / "gate"


@pytest.fixture
def slow(city, tmp_path, gate):
    """Starts a server whose searches wait for the gate, in a process of its own: the process, and its port."""
    program = tmp_path / "slow.py"
    program.write_text(SLOW)
    processes = []

    def start(**limits):
        given = city, repr({"threads": 2, **limits}), gate
        process = subprocess.Popen(
            [sys.executable, program, *given], stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process, int(re.search(r":(\d+)/", process.stdout.readline())[1])

    yield start
    gate.touch()
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def until(true) -> None:
    due = time.monotonic() + 30
    while not true():
        assert time.monotonic() < due
        time.sleep(0.05)


def held(port: int) -> int:
    """How many searches wait or run."""
    text = Asker("127.0.0.1", port).get("/api/metrics").body.decode()
    return int(float(re.search(r"^kinfold_search_held (.*)$", text, re.M)[1]))


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return True
    return False


def ask(port: int, answers: list[tuple[int, str | None]]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body, headers = b'{"id": 1, "rerank": null}', {"Content-Type": "application/json"}
    connection.request("POST", "/api/search", body, headers)
    response = connection.getresponse()
    response.read()
    answers.append((response.status, response.getheader("Retry-After")))
    connection.close()


def test_sigterm_lets_what_is_asked_be_answered_and_refuses_the_rest(slow, gate) -> None:
    process, port = slow()
    answers: list[tuple[int, str | None]] = []
    asking = [threading.Thread(target=ask, args=(port, answers)) for _ in range(4)]
    for thread in asking:
        thread.start()
    until(lambda: held(port) == 4)  # two of them are being answered, and two wait
    process.send_signal(signal.SIGTERM)
    until(lambda: refused(port))
    assert answers == [] and process.poll() is None
    gate.touch()
    for thread in asking:
        thread.join(30)
    assert [status for status, _ in answers] == [200] * 4
    assert process.wait(20) == 0


def test_too_many_at_once_are_told_to_come_again_and_killed_it_leaves_no_decoder(
    slow, gate
) -> None:
    process, port = slow(waiting=1, threads=1, request_seconds=1.5)
    answers: list[tuple[int, str | None]] = []
    asking = [threading.Thread(target=ask, args=(port, answers)) for _ in range(6)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(30)
    # A thread cannot be stopped: what is too slow keeps its place until it is done.
    assert sorted(status for status, _ in answers) == [429] * 4 + [504] * 2
    assert all(wait == "1" for status, wait in answers if status == 429)
    gate.touch()
    until(lambda: held(port) == 0)
    ask(port, answers)
    assert answers[-1][0] == 200
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    decoders = path.read_text().split() if path.exists() else []
    assert decoders or not path.exists()
    process.kill()
    process.wait()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in decoders))
