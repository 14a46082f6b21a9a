"""What exceptions are, for those who catch them by their usual names, and what survives a pickle."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from kinfold.base import errors


@pytest.mark.parametrize(
    ("error", "kinds"),
    [
        (errors.FileFormatError, (ValueError,)),
        (errors.ImageError, (ValueError,)),
        (errors.NotTrainedError, (RuntimeError, AttributeError)),
        (errors.MissingExtraError, (ImportError,)),
        (errors.GalleryError, ()),
        (errors.RecallError, (ValueError,)),
    ],
)
def test_each_is_kinfolds_and_a_usual_one(error: type[Exception], kinds: tuple[type, ...]) -> None:
    for kind in (errors.KinfoldError, *kinds):
        assert issubclass(error, kind)
    again = pickle.loads(pickle.dumps(error("why")))
    assert type(again) is error and str(again) == "why"


def test_what_they_carry_survives_a_pickle() -> None:
    image = pickle.loads(pickle.dumps(errors.ImageError("no such file", "access")))
    assert str(image) == "no such file" and image.cause == "access"
    assert errors.ImageError("bad").cause == "file"
    recall = pickle.loads(pickle.dumps(errors.RecallError("none", {"nprobe": 4})))
    assert str(recall) == "none" and recall.best == {"nprobe": 4}


def test_scikit_learns_error_where_that_is_in_use() -> None:
    pytest.importorskip("sklearn")
    from sklearn.exceptions import NotFittedError

    error = errors.not_trained("PCA: call fit first")
    assert isinstance(error, errors.NotTrainedError) and isinstance(error, NotFittedError)
    code = (
        "from kinfold.base import errors; import sys;"
        "assert type(errors.not_trained('x')) is errors.NotTrainedError;"
        "assert 'sklearn' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
