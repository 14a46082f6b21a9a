"""What is hard for which engine: mAP by challenge, on rendered buildings that differ from the query in one thing.

    python -m benchmarks.gallery.challenges [--engines asmk bow vlad tembedding cnn] [--weights FILE] [--keep FOLDER]

By photos of the same building from before ("none"), from afar, of a part, from aside, behind trees, in a crowd, by
night; and of other buildings, of bare plaster ("texture"). All others, and streets, are distractors; "alone" is "none"
without the streets. First answer, then with spatial verification.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.data import SHARED
from kinfold import Gallery
from kinfold.datasets.challenges import render_challenges
from kinfold.evaluate import GroundTruth


def alone(truth: dict) -> dict:
    """A ground truth without the streets: they are no candidates."""
    kept = [i for i, name in enumerate(truth["imlist"]) if not name.startswith("street")]
    return truth | {"imlist": [truth["imlist"][i] for i in kept]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--engines", nargs="+", default=["asmk", "bow", "vlad", "tembedding", "cnn"]
    )
    parser.add_argument(
        "--weights", type=Path, default=SHARED / "weights" / "squeezenet1_1.safetensors"
    )
    parser.add_argument("--scenes", type=int, default=16)
    parser.add_argument("--distractors", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp())
    truths = render_challenges(
        folder, scenes=options.scenes, distractors=options.distractors, seed=options.seed
    )
    truths = {"alone": alone(truths["none"]), **truths}
    print(" " * 22 + "".join(f"{name:>11}" for name in truths))
    for engine in options.engines:
        weights = {"weights": options.weights} if "cnn" in engine else {}
        path = folder / f"{engine}.kin"
        with (
            Gallery.open(path)
            if path.exists()
            else Gallery.create(path, engine=engine, **weights) as gallery
        ):
            names = [f"{name}.jpg" for name in truths["none"]["imlist"]]
            gallery.update(folder / "jpg", files=names, verbose=False)
            ways = [[], ["spatial"]]
            judged = [
                gallery.evaluate_ways(GroundTruth.from_dict(truth), ways)
                for truth in truths.values()
            ]
        for i, way in enumerate(("", " + spatial")):
            print(
                f"{engine + way:<22}" + "".join(f"{each[i].map:>11.3f}" for each in judged),
                flush=True,
            )


if __name__ == "__main__":
    main()
