from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from kinfold.base.errors import FileFormatError
from kinfold.features import weights as weights_module
from kinfold.features.weights import network, random_network, read_weights

official = pytest.importorskip("safetensors.torch")


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return random_network("squeezenet1_1", 3).state_dict()


def saved(path: Path, state: dict[str, torch.Tensor], **metadata: str) -> Path:
    official.save_file({name: t.contiguous() for name, t in state.items()}, path, metadata or None)
    return path


def equal(net: torch.nn.Module, state: dict[str, torch.Tensor]) -> bool:
    ours = net.state_dict()
    return set(ours) == set(state) and all(torch.equal(ours[key], state[key]) for key in state)


@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v2"])
def test_architecture_is_told_from_parameter_names(name, tmp_path) -> None:
    expected = random_network(name, 1).state_dict()
    net = network(read_weights(saved(tmp_path / "w", expected)))
    assert equal(net, expected)
    assert not net.training and not any(p.requires_grad for p in net.parameters())


def test_widths_are_told_from_shapes(tmp_path) -> None:
    """Networks of a family share their names."""
    for name in ("efficientnet_lite2", "efficientnet_lite1"):
        net = random_network(name, 0)
        assert type(network(read_weights(saved(tmp_path / "w", net.state_dict())))) is type(net)


def test_headers_whose_length_begins_like_a_file_of_torch(tmp_path) -> None:
    for filler in range(256):
        path = saved(tmp_path / "w", {"a": torch.ones(3)}, mean="0,0,0", filler="x" * filler)
        if path.read_bytes()[:1] == b"\x80":
            break
    weights = read_weights(path)
    assert weights.metadata["mean"] == "0,0,0" and torch.equal(weights.tensors["a"], torch.ones(3))


def test_normalisation_comes_from_the_metadata(state, tmp_path) -> None:
    path = saved(
        tmp_path / "w", state, model="squeezenet1_1", mean="0.5,0.5,0.5", std="0.1, 0.2, 0.3"
    )
    net = network(read_weights(path))
    assert net.mean == (0.5, 0.5, 0.5) and net.std == (0.1, 0.2, 0.3)
    assert network(read_weights(saved(path, state))).mean == (0.485, 0.456, 0.406)
    for bad in ({"mean": "a,b,c"}, {"mean": "1,2"}, {"std": "1,1,0"}, {"std": "nan,1,1"}):
        with pytest.raises(FileFormatError, match=next(iter(bad))):
            network(read_weights(saved(path, state, **bad)))


def test_files_of_torch(state, tmp_path) -> None:
    path = tmp_path / "w.pth"
    wrapped = {f"module.{name}": tensor for name, tensor in state.items()}
    for content in (state, {"state_dict": state, "epoch": 3}, {"model": wrapped}):
        torch.save(content, path)
        assert equal(network(read_weights(path)), state)
    torch.save(state, path, _use_new_zipfile_serialization=False)
    assert equal(network(read_weights(path)), state)


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("exploded"),))


@pytest.mark.filterwarnings("ignore")
def test_files_of_torch_run_no_code(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for new in (True, False):
        torch.save({"a": Bomb()}, "w.pth", _use_new_zipfile_serialization=new)
        with pytest.raises(
            FileFormatError, match="not a state dict.* other objects than tensors"
        ) as error:
            read_weights("w.pth")
        # Torch's own words advise to switch its safety off.
        assert "weights_only" not in str(error.value)
    assert not Path("exploded").exists()


def test_older_torch_refuses_files_of_torch(state, tmp_path, monkeypatch) -> None:
    torch.save(state, tmp_path / "w.pth")
    monkeypatch.setattr(weights_module.torch, "__version__", "2.9.1+cpu")
    with pytest.raises(FileFormatError, match="torch 2.9.1.* cannot read .* safely.*2.10"):
        read_weights(tmp_path / "w.pth")
    read_weights(saved(tmp_path / "w.safetensors", state))


@pytest.mark.parametrize(
    "content", [[1, 2], {}, {"a": 3}, {"state_dict": {"a": [1]}}, {1: torch.ones(1)}]
)
def test_files_of_torch_without_tensors(content, tmp_path) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(FileFormatError, match="dictionary of tensors"):
        read_weights(tmp_path / "w.pth")


def test_damaged_files_of_torch(state, tmp_path) -> None:
    torch.save(state, tmp_path / "w.pth")
    data = (tmp_path / "w.pth").read_bytes()
    for length in (5, 100, len(data) // 2, len(data) - 1):
        (tmp_path / "w.pth").write_bytes(data[:length])
        with pytest.raises(FileFormatError) as error:
            read_weights(tmp_path / "w.pth")
        assert "weights_only" not in str(error.value)


def test_small_files_stay_small(tmp_path) -> None:
    """Numbers that repeat themselves, tensors that share theirs, archives that unfold."""
    path = tmp_path / "w.pth"
    few = torch.ones(64)
    for content in (
        {"a": few[:1].expand(1 << 32)},
        {"a": torch.as_strided(few, (1 << 20, 64), (0, 1))},
        {f"a{i}": few for i in range(10_000)},
        {"a": torch.sparse_coo_tensor([[0]], [1.0], (1 << 40,), check_invariants=True)},
    ):
        torch.save(content, path)
        with pytest.raises(FileFormatError, match="claim more numbers|not one of plain numbers"):
            read_weights(path)
    torch.save({"a": torch.zeros(1 << 20)}, path)
    with (
        zipfile.ZipFile(path) as source,
        zipfile.ZipFile(tmp_path / "z.pth", "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            target.writestr(name, source.read(name))
    with pytest.raises(FileFormatError, match="compressed"):
        read_weights(tmp_path / "z.pth")
    # Two names of one tensor are usual.
    torch.save({"a": few, "b": few}, path)
    assert len(read_weights(path).tensors) == 2


def test_weights_that_do_not_fit(state, tmp_path) -> None:
    path = tmp_path / "w"
    first, *rest = state
    missing = {key: state[key] for key in rest}
    with pytest.raises(FileFormatError, match="of no known architecture"):
        network(read_weights(saved(path, missing)))
    with pytest.raises(FileFormatError, match=f"lack '{first}' and 0 more"):
        network(read_weights(path), "squeezenet1_1")
    with pytest.raises(FileFormatError, match="have the unknown 'more'"):
        network(read_weights(saved(path, {**state, "more": torch.ones(2)})), "squeezenet1_1")
    with pytest.raises(FileFormatError, match=f"'{first}' is"):
        network(read_weights(saved(path, {**state, first: torch.ones(2)})))
    with pytest.raises(FileFormatError, match="NaN"):
        read_weights(saved(path, {**state, first: state[first] * torch.nan}))
    with pytest.raises(FileFormatError, match="not those of mobilenet_v2"):
        network(read_weights(saved(path, state)), "mobilenet_v2")
    with pytest.raises(ValueError, match="architecture: expected one of squeezenet1_1"):
        network(read_weights(path), "vgg11")


def test_a_network_of_other_classes(tmp_path) -> None:
    from kinfold.features.backbones.squeezenet import SqueezeNet

    expected = SqueezeNet(5).state_dict()
    assert equal(network(read_weights(saved(tmp_path / "w", expected))), expected)


def test_no_file(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="weights: no such file"):
        read_weights(tmp_path / "absent")
    (tmp_path / "text").write_text("these are no weights, are they?")
    with pytest.raises(FileFormatError, match="not a safetensors file"):
        read_weights(tmp_path / "text")


def test_random_networks_repeat_and_leave_the_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, two = (random_network("squeezenet1_1", 7).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], two[key]) for key in one)
    other = random_network("squeezenet1_1", 8).state_dict()
    assert not torch.equal(one["features.0.weight"], other["features.0.weight"])
    assert torch.equal(torch.random.get_rng_state(), before)
