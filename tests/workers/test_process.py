"""A worker in a process of its own: killed, interrupted, left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from things import Counter

from kinfold import workers
from kinfold.workers.worker import Ended


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_killed_process_is_told_of_and_can_be_started_anew() -> None:
    worker = workers.start("process", Counter, 5)
    first = worker.pid
    assert first is not None and first != os.getpid()
    worker.ask("die")
    with pytest.raises(Ended, match=f"process {first} ended by SIGKILL"):
        worker.answer()
    with pytest.raises(Ended):
        worker.ask("add", 1)
    worker.start()
    worker.ask("add", 1)
    assert worker.answer() == 6 and worker.pid != first
    worker.close()


def test_it_ends_with_whoever_holds_it() -> None:
    worker = workers.start("process", Counter, 5)
    pid = worker.pid
    assert pid is not None
    del worker
    assert gone(pid)


def test_what_cannot_be_sent_is_an_error_and_no_end() -> None:
    worker = workers.start("process", Counter, 5)
    with pytest.raises(TypeError, match="pickle"):
        worker.ask("add", threading.Lock())
    worker.ask("lock")
    with pytest.raises(RuntimeError, match="cannot be sent"):
        worker.answer()
    worker.ask("add", 1)
    assert worker.answer() == 6
    worker.close()


def test_an_answer_that_an_interrupt_left_behind_is_passed_over() -> None:
    worker = workers.start("process", Counter, 5)
    worker.ask("add", 1)  # Ctrl-C fell here
    worker.ask("add", 1)
    assert worker.answer() == 7
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGINT)  # the terminal sends it to all
    worker.ask("add", 1)
    assert worker.answer() == 8
    worker.close()


def test_a_script_needs_no_guard_of_its_main_part(tmp_path: Path) -> None:
    """Nor does it leave processes behind when it is killed itself."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from things import Counter\n"
        "from kinfold import workers\n"
        "worker = workers.start('process', Counter, 5)\n"
        "worker.ask('add', 1)\n"
        "print(worker.answer(), worker.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    running = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    total, pid = map(int, running.stdout.readline().split())
    assert total == 6 and not gone(pid)
    running.kill()
    running.wait()
    running.stdout.close()
    until = time.monotonic() + 30
    while not gone(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert gone(pid)
