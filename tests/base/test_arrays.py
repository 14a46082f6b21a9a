"""The gate: what it takes in, and the words in which it refuses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinfold.base.arrays import (
    as_answer,
    as_array,
    as_choice,
    as_count,
    as_ids,
    as_number,
    as_path,
    as_vectors,
)

NAN, INF = float("nan"), float("inf")


class Unreadable:
    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        raise TypeError("no numbers here")


BAD_VECTORS = [
    (np.zeros(4), {}, "vectors (n, d)", "(4,)"),
    (np.zeros((2, 3, 4)), {}, "vectors (n, d)", "(2, 3, 4)"),
    (np.float32(1), {}, "vectors (n, d)", "()"),
    (np.zeros((2, 3)), {"dim": 4}, "dimension 4", "(2, 3)"),
    (np.zeros(3), {"dim": 4, "one": True}, "dimension 4", "(3,)"),
    (np.zeros((2, 0)), {}, "at least one dimension", "(2, 0)"),
    (np.zeros((0, 3)), {}, "at least one vector", "(0, 3)"),
    ([], {}, "vectors (n, d)", "(0,)"),
    ([[1.0, NAN]], {}, "finite", "row 0"),
    ([[1.0, 2.0], [INF, 0.0]], {}, "finite", "row 1"),
    ([[1.0, 2.0], [-INF, INF]], {}, "finite", "row 1"),
    ([[1e39, 0.0]], {}, "finite float32", "row 0"),
    ([[1, 2], [3]], {}, "array of numbers", "list"),
    (None, {}, "real numbers", "object"),
    (object(), {}, "real numbers", "object"),
    ([[2**70, 1]], {}, "real numbers", "object"),
    ([["a", "b"]], {}, "real numbers", "<U1"),
    (np.zeros((2, 3), complex), {}, "real numbers", "complex128"),
    (np.zeros((2, 3), "datetime64[s]"), {}, "real numbers", "datetime64[s]"),
    (np.zeros((2, 3), [("a", "f4")]), {}, "real numbers", "[('a', '<f4')]"),
    (Unreadable(), {}, "array of numbers", "Unreadable"),
]


@pytest.mark.parametrize(("x", "options", "expected", "came"), BAD_VECTORS)
def test_bad_vectors_are_refused_by_name(x, options, expected, came) -> None:
    with pytest.raises(ValueError) as error:
        as_vectors(x, "queries", **options)
    message = str(error.value)
    assert message.startswith("queries: expected ")
    assert expected in message
    assert came in message


GOOD = np.arange(12).reshape(4, 3)


@pytest.mark.parametrize(
    "x",
    [
        GOOD.tolist(),
        GOOD.astype(np.float16),
        GOOD.astype(np.float64),
        GOOD.astype(">f4"),
        GOOD.astype(np.longdouble),
        GOOD.astype(np.uint8),
        GOOD.astype(np.int64),
        np.asfortranarray(GOOD, dtype=np.float32),
        np.repeat(GOOD.astype(np.float32), 2, axis=1)[:, ::2],
        np.pad(GOOD.astype(np.float32), 1)[1:-1, 1:-1],
        GOOD[::-1].astype(np.float32)[::-1],
    ],
)
def test_whatever_holds_numbers_becomes_contiguous_float32(x) -> None:
    vectors = as_vectors(x, "x")
    assert vectors.dtype == np.float32
    assert vectors.flags.c_contiguous
    np.testing.assert_array_equal(vectors, GOOD)


def test_float32_passes_without_a_copy_even_when_read_only() -> None:
    x = np.ones((3, 2), np.float32)
    x.flags.writeable = False
    assert as_vectors(x, "x") is x


def test_one_vector_becomes_a_row() -> None:
    assert as_vectors([1, 2, 3], "x", one=True).shape == (1, 3)


def test_no_vectors_where_that_is_allowed() -> None:
    assert as_vectors(np.zeros((0, 5)), "x", dim=5, empty=True).shape == (0, 5)


def test_large_finite_numbers_are_not_taken_for_infinite() -> None:
    x = np.full((4, 8), 3e38, np.float32)  # the sum overflows, the numbers do not
    np.testing.assert_array_equal(as_vectors(x, "x", long=True), x)


@pytest.mark.parametrize("rows", [1, 3, 2000])
def test_vectors_whose_squares_overflow_are_refused_by_their_length(rows: int) -> None:
    x = np.zeros((rows, 8), np.float32)
    x[rows // 2] = 1.4e18  # together almost 4e18 long
    assert as_vectors(x, "x") is x
    x[:] = x[rows // 2]  # all together are longer than one may be
    assert as_vectors(x, "x") is x
    x[rows // 2, 3] = 3e18
    with pytest.raises(
        ValueError, match=f"x: .* length up to 4e.18.*got 4.77e.18 in row {rows // 2}"
    ):
        as_vectors(x, "x")
    x[rows // 2, 3] = np.inf
    with pytest.raises(ValueError, match=f"x: .*NaN or infinity in row {rows // 2}"):
        as_vectors(x, "x")


def test_answers_are_finite_or_name_what_they_came_from() -> None:
    made = np.full((3, 2), 3e38, np.float32)
    assert as_answer(made, "x") is made
    made[1, 1] = np.inf
    with pytest.raises(ValueError, match="x: .*answer.*in row 1"):
        as_answer(made, "x")


def test_torch_tensors() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.arange(12.0).reshape(4, 3)
    for x in (tensor, tensor.double(), tensor.half(), tensor.bfloat16(), tensor.int()):
        np.testing.assert_array_equal(as_vectors(x, "x"), GOOD)
    np.testing.assert_array_equal(as_vectors(tensor.T, "x"), GOOD.T)
    np.testing.assert_array_equal(as_ids(torch.tensor([3, 1]), "ids"), [3, 1])
    assert as_ids(torch.tensor([]), "ids").shape == (0,)
    for bad in (tensor.to_sparse(), torch.empty(2, 3, device="meta"), tensor.to(torch.complex64)):
        with pytest.raises(ValueError, match="x: expected"):
            as_vectors(bad, "x")
    with pytest.raises(ValueError, match=r"got shape \(4, 3\)"):
        as_vectors(tensor, "x", dim=7)


def test_gradients_and_devices_are_for_the_caller_to_leave() -> None:
    torch = pytest.importorskip("torch")
    leaf = torch.ones(4, 3, requires_grad=True)
    for x in (leaf, leaf * 1, leaf.bfloat16(), list(leaf)):
        with pytest.raises(ValueError, match=r"^x: expected .*gradients.*give x\.detach\(\)"):
            as_vectors(x, "x")
    np.testing.assert_array_equal(as_vectors(leaf.detach(), "x"), np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"^x: expected .*device meta: give x\.cpu\(\)"):
        as_vectors(torch.empty(2, 3, device="meta"), "x")


def test_tensors_of_cuda() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no device of CUDA")
    for x in (torch.ones(4, 3, device="cuda"), OnlyDLPack(torch.ones(4, 3, device="cuda"))):
        with pytest.raises(ValueError, match="^x: expected .*device"):
            as_vectors(x, "x")


def test_views_that_torch_has_yet_to_work_out() -> None:
    torch = pytest.importorskip("torch")
    negated = torch.complex(torch.zeros(4, 3), -torch.arange(12.0).reshape(4, 3)).conj().imag
    assert negated.is_neg()
    for x in (negated, list(negated), negated.bfloat16()):
        np.testing.assert_array_equal(as_vectors(x, "x"), GOOD)
    tensor = torch.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(as_vectors(list(tensor), "x"), GOOD)
    np.testing.assert_array_equal(as_vectors(tensor.to(torch.float8_e4m3fn), "x"), GOOD)
    assert as_count(torch.tensor(3), "k") == 3 and as_number(torch.tensor(0.5), "p") == 0.5
    complex_ = torch.zeros(2, 2, dtype=torch.complex64).conj()
    for bad in (complex_, [torch.eye(2).to_sparse()]):
        with pytest.raises(ValueError, match="^x: expected"):
            as_vectors(bad, "x")


class OnlyDLPack:
    """What another library's array is where it knows nothing of numpy."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


class Elsewhere(OnlyDLPack):
    """One whose memory no processor reads."""

    def __dlpack__(self, **options: Any) -> Any:
        raise BufferError("not here")


class OnDevice(OnlyDLPack):
    """One that knows numpy, and lies where only another processor reads."""

    def __init__(self, array: np.ndarray, device: int) -> None:
        super().__init__(array)
        self.device = device

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise AssertionError("its numbers were read")

    def __dlpack_device__(self) -> Any:
        return self.device, 0


MASKED = np.ma.array(GOOD, mask=GOOD == 7)


@pytest.mark.parametrize(
    "x", [MASKED, MASKED[2], list(MASKED), tuple(MASKED), [list(row) for row in MASKED], [[0.0, np.ma.masked]]]
)  # fmt: skip
def test_what_is_masked_is_no_number(x) -> None:
    for gate in (as_array, as_ids, as_vectors):
        with pytest.raises(ValueError, match=r"^x: expected an array of numbers, got .*masked"):
            gate(x, "x")


def test_masks_that_hide_nothing_are_passed_over() -> None:
    for mask in (False, np.ma.nomask, np.zeros_like(GOOD, bool)):
        array = as_array(np.ma.array(GOOD, mask=mask), "x")
        assert type(array) is np.ndarray
        np.testing.assert_array_equal(array, GOOD)
    np.testing.assert_array_equal(as_vectors(list(MASKED[:2]), "x"), GOOD[:2])


def test_masked_numbers_are_none() -> None:
    for bad in (np.ma.masked, np.ma.array(3.0, mask=True)):
        with pytest.raises(ValueError, match="^x: expected a number, got"):
            as_number(bad, "x")
    with pytest.raises(ValueError, match="^x: expected a whole number, got"):
        as_count(np.ma.masked, "x")


def test_what_only_speaks_dlpack() -> None:
    for array in (GOOD, GOOD.astype(np.float32), GOOD.astype(np.float32).T):
        np.testing.assert_array_equal(as_vectors(OnlyDLPack(array), "x"), array)
    np.testing.assert_array_equal(as_vectors([OnlyDLPack(row) for row in GOOD], "x"), GOOD)
    np.testing.assert_array_equal(as_ids(OnlyDLPack(GOOD[0]), "ids"), GOOD[0])
    with pytest.raises(ValueError, match="x: expected an array of numbers, got Elsewhere"):
        as_vectors(Elsewhere(GOOD), "x")


@pytest.mark.parametrize(
    ("device", "name"), [(2, "CUDA"), (8, "Metal"), (10, "ROCm"), (99, "number 99")]
)
def test_what_lies_on_another_device_is_refused_unread(device: int, name: str) -> None:
    for gate in (as_array, as_ids, as_vectors):
        with pytest.raises(
            ValueError, match=f"^x: expected .*on a device, {name}.*copy it to the CPU"
        ):
            gate(OnDevice(GOOD, device), "x")


def test_arrays_of_others_are_not_copied() -> None:
    x = GOOD.astype(np.float32)
    assert np.shares_memory(as_vectors(OnlyDLPack(x), "x"), x)
    torch = pytest.importorskip("torch")
    assert np.shares_memory(as_vectors(torch.from_numpy(x), "x"), x)
    xp = pytest.importorskip("array_api_strict")
    assert np.shares_memory(as_vectors(xp.asarray(x, copy=False), "x"), x)


def test_types_that_are_no_numbers_stay_refused() -> None:
    for dtype in ("V2", "V4", [("a", "f4")], "S3", "M8[s]"):
        with pytest.raises(ValueError, match="^x: expected real numbers, got dtype"):
            as_array(np.zeros((2, 2), dtype), "x")


def test_whatever_a_strangers_array_raises_is_a_value_error() -> None:
    for error in (RuntimeError, KeyError, AttributeError, BufferError, ZeroDivisionError):

        class Broken:
            def __array__(self, *_: Any, error: type[Exception] = error, **__: Any) -> Any:
                raise error("no")

        with pytest.raises(ValueError, match=r"^x: expected an array of numbers, got Broken"):
            as_vectors(Broken(), "x")


def test_sparse_matrices_are_refused_with_advice() -> None:
    scipy = pytest.importorskip("scipy.sparse")
    for make in (scipy.csr_matrix, scipy.csr_array, scipy.coo_array):
        with pytest.raises(ValueError, match=r"x: .*sparse: give x\.toarray\(\)"):
            as_vectors(make(np.eye(3)), "x")


@pytest.mark.parametrize(
    ("x", "n", "words"),
    [
        ([[1, 2]], None, "ids (n,)"),
        (3, None, "ids (n,)"),
        ([1.5], None, "whole numbers"),
        ([NAN], None, "whole numbers"),
        ([INF], None, "whole numbers"),
        ([True], None, "bool"),
        ([3, -1], None, "got -1"),
        (np.array([2**63], np.uint64), None, "got 9223372036854775808"),
        ([2.0**63], None, "got 9223372036854775808"),
        ([2**64], None, "got"),
        (["a"], None, "real numbers"),
        (None, None, "real numbers"),
        ([1, 2], 3, "3 ids"),
    ],
)
def test_bad_ids_are_refused_by_name(x, n, words) -> None:
    with pytest.raises(ValueError) as error:
        as_ids(x, "ids", n=n)
    assert str(error.value).startswith("ids: expected ")
    assert words in str(error.value)


@pytest.mark.parametrize(
    "x",
    [
        [0, 7],
        (0, 7),
        np.array([0, 7], np.uint64),
        np.array([0.0, 7.0]),
        np.array([0, 9, 7, 9])[::2],
    ],
)
def test_ids_of_any_whole_type(x) -> None:
    ids = as_ids(x, "ids", n=2)
    assert ids.dtype == np.int64
    assert ids.flags.c_contiguous
    np.testing.assert_array_equal(ids, [0, 7])


def test_the_largest_id_survives() -> None:
    assert as_ids(np.array([2**63 - 1], np.uint64), "ids")[0] == 2**63 - 1


@pytest.mark.parametrize("x", [0, -1, 1.0, "3", None, True, NAN, np.True_, [2], 2**70])
def test_bad_counts(x) -> None:
    with pytest.raises(ValueError, match="^k: expected a whole number"):
        as_count(x, "k", most=100)


def test_counts() -> None:
    assert as_count(np.int8(3), "k") == 3
    assert type(as_count(np.int8(3), "k")) is int
    assert as_count(0, "k", least=0) == 0
    with pytest.raises(ValueError, match="from 2 to 5, got 6"):
        as_count(6, "k", least=2, most=5)


@pytest.mark.parametrize("x", [NAN, INF, -INF, "1", b"1", None, [1, 2], 1 + 0j, 10**400, -0.1, 1.1])
def test_bad_numbers(x) -> None:
    with pytest.raises(ValueError, match=r"^alpha: expected a number"):
        as_number(x, "alpha", least=0, most=1)


def test_numbers() -> None:
    assert as_number(np.float32(0.5), "alpha", least=0, most=1) == 0.5
    assert as_number(1, "alpha", least=0, most=1) == 1.0
    with pytest.raises(ValueError, match=r"in \(0, 1\), got 1"):
        as_number(1, "alpha", least=0, most=1, open=True)


def test_what_was_numpys_becomes_pythons() -> None:
    """So that it can be written as JSON, whoever kept it."""
    for value in (np.int64(3), np.uint8(3), np.array(3)):
        assert type(as_count(value, "k")) is int
    for value in (np.float32(0.5), np.float16(0.5), np.float64(0.5), np.array(0.5)):
        assert type(as_number(value, "p")) is float
    assert type(as_choice(np.str_("l2"), "metric", ("l2", "ip"))) is str


def test_paths() -> None:
    for path in ("a/b", b"a/b", Path("a/b"), os.fsencode("a/b")):
        assert as_path(path, "path") == Path("a/b")
    assert os.fsencode(as_path(b"\xff", "path")) == b"\xff"
    for bad in (3, None, ["a"], np.zeros(2)):
        with pytest.raises(ValueError, match="^path: expected a path, got"):
            as_path(bad, "path")


def test_choices() -> None:
    assert as_choice("l2", "metric", ("l2", "ip")) == "l2"
    for bad in ("L2", "", None, 2, ["l2"]):
        with pytest.raises(ValueError, match="^metric: expected one of l2, ip, got"):
            as_choice(bad, "metric", ("l2", "ip"))
