from __future__ import annotations

import csv

import pytest

from kinfold.learn.logs import Epoch, Logs, as_csv

CURVES = [Epoch(0, 0.1, 1 / 3, None), Epoch(1, 0.05, 0.25, 0.7)]


def test_a_table_that_reads_back(tmp_path) -> None:
    logs = Logs(tmp_path, ("csv",))
    logs.write(CURVES[:1])
    logs.write(CURVES)
    with (tmp_path / "curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == [1 / 3, 0.25]
    assert [row["score"] for row in rows] == ["", "0.7"]
    assert as_csv([]).splitlines() == ["epoch,rate,loss,score"]


def test_event_files(tmp_path) -> None:
    pytest.importorskip("tensorboard")
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    pytest.importorskip("torch")
    for done in (0, 1):
        logs = Logs(tmp_path, ("tensorboard",), done=done)
        logs.write(CURVES[: done + 1])
        logs.close()
    events = reader.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    losses = events.Scalars("loss")
    assert [event.step for event in losses] == [0, 1]
    assert [event.value for event in losses] == pytest.approx([1 / 3, 0.25])
    assert [event.step for event in events.Scalars("score")] == [1]


def test_nothing_is_written_without_a_folder() -> None:
    logs = Logs(None, ("csv",))
    logs.write(CURVES)
    logs.close()


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (("xml",), "logs: expected one of csv, tensorboard"),
        (("tensorboard",), "logs: expected a folder"),
    ],
)
def test_what_is_wrong_is_said(kinds, message) -> None:
    with pytest.raises(ValueError, match=message):
        Logs(None, kinds)
