from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from small import small

from kinfold.learn.loop import train
from kinfold.learn.parallel import Group, part_of

# Two processes of this program train on halves of the batches.
PROGRAM = """
import sys
sys.path[:0] = [{tests!r}]
import torch
from datetime import timedelta
from test_parallel import learn
torch.set_num_threads(1)
rank = int(sys.argv[1])
torch.distributed.init_process_group(
    "gloo", init_method="file://" + sys.argv[2], rank=rank, world_size=2, timeout=timedelta(seconds=200)
)
network, history = learn(sys.argv[3])
torch.save((network.state_dict(), [line.loss for line in history.epochs]), sys.argv[3] + f"/rank{{rank}}")
torch.distributed.destroy_process_group()
"""


def learn(folder: str | Path | None):
    def batches(epoch: int):
        generator = torch.Generator().manual_seed(epoch)
        for _ in range(3):
            yield torch.rand(8, 3, 20, 20, generator=generator), torch.arange(8) % 3

    network = small()
    network.classifier[0].p = 0.0
    history = train(
        network,
        batches,
        lambda net, batch: torch.nn.functional.cross_entropy(net(batch[0]), batch[1]),
        epochs=3,
        rate=0.05,
        validate=lambda net: float(net.classifier[1].weight.detach().sum()),
        patience=9,
        folder=folder,
        verbose=False,
    )
    return network, history


@pytest.mark.timeout(280)
def test_two_processes_learn_what_one_does(tmp_path) -> None:
    if not torch.distributed.is_gloo_available():
        pytest.skip("this torch has no gloo")
    program = PROGRAM.format(tests=str(Path(__file__).parent))
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(rank), str(tmp_path / "meet"), str(tmp_path)],
            stderr=subprocess.PIPE, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    for process in started:
        _, errors = process.communicate(timeout=250)
        assert process.returncode == 0, errors
    one, history = learn(None)
    for rank in (0, 1):
        state, losses = torch.load(tmp_path / f"rank{rank}", weights_only=True)
        assert losses == pytest.approx([line.loss for line in history.epochs], rel=1e-5)
        for name, tensor in one.state_dict().items():
            assert torch.allclose(state[name], tensor, atol=1e-6), name
    assert (tmp_path / "best.safetensors").is_file() and (tmp_path / "curves.csv").is_file()


class Named(NamedTuple):
    images: torch.Tensor
    name: str


def test_parts_of_whatever_has_rows() -> None:
    batch = {
        "a": torch.arange(6),
        "b": [np.arange(12).reshape(6, 2), 5],
        "c": Named(torch.ones(6), "x"),
    }
    part = part_of(batch, 1, 3)
    assert part["a"].tolist() == [2, 3] and part["b"][0].tolist() == [[4, 5], [6, 7]]
    assert part["b"][1] == 5 and part["c"].images.shape == (2,) and part["c"].name == "x"
    assert part_of(batch, 0, 1) is batch
    with pytest.raises(ValueError, match="divide over 4 processes, got 6"):
        part_of(batch, 0, 4)


def test_alone() -> None:
    group = Group()
    network = small()
    assert (group.rank, group.size) == (0, 1) and group.wrapped(network) is network
    assert group.mean(2.5) == 2.5 and group.told("x") == "x"
