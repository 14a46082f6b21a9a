"""One grammar for all public names, as docs/api.md says it."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kinfold as kf
from kinfold.base.estimator import Estimator

ROOT = Path(__file__).resolve().parents[1]
NEEDS = {"DrLIM": "torch", "Extractor": "torch", "RegionalExtractor": "torch"}
EXAMPLES_NEED = {"SIFT": "cv2", "Gallery": "cv2"}
VALUES = ("distances", "similarities", "scores", "weights")
# SciPy's manners, an exception's, a tuple's.
FOREIGN = {"KDTree"}
# What makes an object besides its constructor: an open door, chance, several in one, and short for constructor and fit.
MAKERS = {
    "Gallery.create", "Gallery.open", "Rotation.random", "LocalFeatures.joined",
    "KNNGraph.build", "KNNLists.build", "OfflineDiffusion.build", "ShardedIndex.open",
}  # fmt: skip


def public(name: str) -> Any:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    return getattr(kf, name)


def is_a_class(name: str) -> bool:
    modules = (ROOT / "python" / "kinfold" / "__init__.pyi").read_text()
    return name[0].isupper() and name in modules


CLASSES = sorted(name for name in kf.__all__ if is_a_class(name) and not name.endswith("Error"))


def methods(cls: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, function in inspect.getmembers(cls, callable):
        ours = (getattr(function, "__module__", None) or "").startswith("kinfold")
        if not name.startswith("_") and ours and not inspect.isclass(function):
            yield name, function


def signatures() -> Iterator[tuple[str, inspect.Signature]]:
    for name in kf.__all__:
        if name in FOREIGN or name == "__version__" or name in NEEDS:
            continue
        thing = getattr(kf, name)
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            yield name, inspect.signature(thing)
            for method, function in methods(thing):
                yield f"{name}.{method}", inspect.signature(function)
        elif inspect.isfunction(thing):
            yield name, inspect.signature(thing)


ALL = dict(signatures())


@pytest.mark.parametrize("name", CLASSES)
def test_what_learns_has_fit(name: str) -> None:
    """`train` is faiss's name for it, of what holds rows; nothing is learnt by a class method."""
    cls = public(name)
    known = dict(methods(cls))
    if "train" in known:
        assert "add" in known
    for learns in ("fit", "train", "partial_fit"):
        if learns in known:
            assert inspect.isfunction(known[learns]), f"{name}.{learns} is a class method"


@pytest.mark.parametrize("name", CLASSES)
def test_what_makes_an_object_besides_its_constructor_converts(name: str) -> None:
    for method, function in methods(public(name)):
        if inspect.ismethod(function):
            assert method.startswith("from_") or f"{name}.{method}" in MAKERS


@pytest.mark.parametrize("name", ALL)
def test_values_stand_before_ids(name: str) -> None:
    order = list(ALL[name].parameters)
    if "ids" in order:
        for values in VALUES:
            if values in order:
                assert order.index(values) < order.index("ids")


@pytest.mark.parametrize("name", ALL)
def test_threads_are_last(name: str) -> None:
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    order = [p for p in ALL[name].parameters.values() if p.kind not in kinds]
    for place, parameter in enumerate(order):
        if parameter.name == "threads" and len(order) > 1:
            assert place == len(order) - 1 and parameter.kind is parameter.KEYWORD_ONLY
            assert parameter.default == 0


@pytest.mark.parametrize("name", ALL)
def test_one_name_for_one_thing(name: str) -> None:
    others = {
        "n_jobs",
        "random_state",
        "rng",
        "topk",
        "top_k",
        "num",
        "count",
        "dimension",
        "n_dims",
    }
    assert not others & set(ALL[name].parameters)
    # Processes, which are no threads.
    if "workers" in ALL[name].parameters:
        assert name in ("Gallery.update", "ShardedIndex", "ShardedIndex.open")
    owner = getattr(kf, name.split(".")[0])
    if "n_neighbors" in ALL[name].parameters:
        assert issubclass(owner, Estimator)


ROWS = (
    "ASMK", "BagOfWords", "CandidateIndex", "CellIndex", "FlatIndex", "HammingIndex", "RegionalIndex", "TreeIndex",
)  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_what_holds_rows(name: str) -> None:
    cls = public(name)
    add = list(inspect.signature(cls.add).parameters.values())
    assert add[2].name == "ids" and add[2].default is None
    assert [p.name for p in inspect.signature(cls.remove).parameters.values()][1] == "ids"
    search = [
        p for p in inspect.signature(cls.search).parameters.values() if p.kind is not p.VAR_KEYWORD
    ]
    assert (
        search[1].name in ("queries", "query") and search[2].name == "k" and search[2].default == 10
    )
    assert all(p.kind is p.KEYWORD_ONLY for p in search[3:])
    assert search[-1].name == "threads"
    for member in ("__len__", "ids", "stats"):
        assert hasattr(cls, member), f"{name}.{member}"


@pytest.mark.parametrize("name", CLASSES)
def test_names_that_end_in_an_underscore(name: str) -> None:
    cls = public(name)
    trailing = [n for n in dir(cls) if n.endswith("_") and not n.startswith("_")]
    assert not trailing or issubclass(cls, Estimator), trailing


# What a scikit-learn estimator answers with may be a table; what a file holds may be anything.
UNTYPED = re.compile(r"\.(fit|fit_transform|set_params|set_output|from_state|structure)$|^load$")


@pytest.mark.parametrize("name", [n for n in ALL if not UNTYPED.search(n)])
def test_answers_are_typed(name: str) -> None:
    returned = ALL[name].return_annotation
    assert returned is not inspect.Signature.empty or "." not in name
    assert returned != "Any", f"{name} answers with Any"


def test_a_file_says_what_it_holds(tmp_path: Path) -> None:
    index = kf.FlatIndex(2)
    index.add([[1, 2], [3, 4]])
    index.save(tmp_path / "index.kin")
    assert len(kf.load(tmp_path / "index.kin", kf.FlatIndex)) == 2
    with pytest.raises(kf.FileFormatError, match=r"expected a transform\.PCA, got index\.Flat"):
        kf.load(tmp_path / "index.kin", kind=kf.PCA)


def test_documented_classes_are_at_the_top() -> None:
    """Every class that a page of methods names in its table is found by `kf.`, or by its room where it says so."""
    table = (ROOT / "docs" / "methods" / "index.md").read_text()
    for name in re.findall(r"`([A-Z][A-Za-z]+)`", table):
        assert name in kf.__all__, name


# What all indexes are is shown by each of them.
SHOWN_ELSEWHERE = {"Index"}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", [name for name in CLASSES if name not in SHOWN_ELSEWHERE])
def test_examples_of_classes_run(name: str) -> None:
    if name in EXAMPLES_NEED:
        pytest.importorskip(EXAMPLES_NEED[name])
    cls = public(name)
    names = {"kf": kf, "np": np}
    example = doctest.DocTestParser().get_doctest(inspect.getdoc(cls) or "", names, name, None, 0)
    assert example.examples, f"{name} has no example"
    told: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=told.append)
    assert not told, "".join(told)


@pytest.mark.parametrize("name", [n for n in CLASSES if n not in SHOWN_ELSEWHERE])
def test_parameters_of_classes_are_described(name: str) -> None:
    cls = public(name)
    said = inspect.getdoc(cls) or ""
    for parameter in inspect.signature(cls).parameters:
        assert re.search(rf"(?m)\b{parameter}\b", said), f"{name}: {parameter} is not described"


def documented() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Public functions, and methods and properties of public classes."""
    for name in kf.__all__:
        thing = None if name in NEEDS or name == "__version__" else getattr(kf, name)
        if inspect.isfunction(thing):
            yield name, inspect.unwrap(thing)
        if not inspect.isclass(thing) or issubclass(thing, Exception):
            continue
        for member in dir(thing):
            found = inspect.getattr_static(thing, member)
            function = getattr(found, "fget", None) or getattr(found, "__func__", found)
            if member[0] != "_" and inspect.isfunction(function):
                function = inspect.unwrap(function)
                if function.__module__.startswith("kinfold"):
                    yield f"{name}.{member}", function


DOCUMENTED = dict(documented())
ARRAYS = re.compile(r"\b(Vectors|Ids|NDArray|Neighbours|RangeResult|Ranking|Points)\b")
DESCRIBED = re.compile(
    r"Returns|\b(u?int|float|complex)\d+\b|\bbool\b|\([^()]+,[^()]*\)|Neighbours"
)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_what_is_returned_is_described(name: str) -> None:
    """Of arrays the types or shapes."""
    returned = str(DOCUMENTED[name].__annotations__.get("return", ""))
    if ARRAYS.search(returned):
        assert DESCRIBED.search(inspect.getdoc(DOCUMENTED[name]) or ""), returned


@pytest.mark.parametrize("name", DOCUMENTED)
def test_what_is_raised_is_described(name: str) -> None:
    tree = ast.parse(textwrap.dedent(inspect.getsource(DOCUMENTED[name])))
    if any(isinstance(node, ast.Raise) and node.exc is not None for node in ast.walk(tree)):
        said = inspect.getdoc(DOCUMENTED[name]) or ""
        assert re.search(r"\b[A-Z]\w*Error\b|Raises|refuse", said), said
