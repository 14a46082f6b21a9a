"""Actors of Ray, on this machine."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from things import Counter

import kinfold as kf
from kinfold import workers
from kinfold.workers.worker import Ended


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("ray", reason="needs the extra: kinfold[ray]")
        paths = [str(Path(__file__).parent), str(Path(kf.__file__).parents[1])]
        module.init(
            num_cpus=1, include_dashboard=False, log_to_driver=False, configure_logging=False,
            runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(paths)}},
        )  # fmt: skip
        yield module
        module.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_an_actor_answers_fails_dies_and_is_started_anew(ray: Any) -> None:
    worker = workers.start("ray", Counter, 5)
    worker.ask("add", 2)
    assert worker.answer() == 7 and worker.pid not in (None, os.getpid())
    worker.ask("fail")
    with pytest.raises(LookupError):
        worker.answer()
    worker.ask("die")
    with pytest.raises(Ended, match="the actor ended"):
        worker.answer()
    worker.start()
    worker.ask("add", 2)
    assert worker.answer() == 7
    worker.close()
    with pytest.raises(Ended, match="closed"):
        worker.ask("add", 1)
    with pytest.raises(ValueError, match="from 0"):
        workers.start("ray", Counter, -1)


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(kf.MissingExtraError, match=r"pip install 'kinfold\[ray\]'"):
        workers.start("ray", Counter, 5)
