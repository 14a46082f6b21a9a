"""mAP of galleries on the real photos of `../shared/data/photos`, and where the time of indexing goes.

    python benchmarks/gallery/map_photos.py [--engines vlad cnn both] [--networks squeezenet1_1 mobilenet_v2]

Galleries of the 898 database photos, made and searched as a user does, with the default settings. 82 queries,
cropped to their boxes where they have one. AP is Oxford's trapezoid, junk removed. Codebook and whitening are
learnt on the database itself, without labels.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data import SHARED
from kinfold import Gallery
from kinfold.evaluate import GroundTruth

PHOTOS = SHARED / "photos"
STAGES = {
    "search": (),
    "+ spatial": ("spatial",),
    "+ diffusion": ("diffusion",),
    "+ spatial, diffusion": ("spatial", "diffusion"),
    "+ diffusion, spatial": ("diffusion", "spatial"),
}


def measure(folder: Path, engine: str, network: str | None, truth: GroundTruth) -> dict:
    """Index with one engine, and evaluate each way of re-ranking."""
    weights = None if network is None else SHARED / "weights" / f"{network}.safetensors"
    with Gallery.create(folder / "photos.kin", engine=engine, weights=weights) as gallery:
        changes = gallery.update(PHOTOS / "jpg", files=[f"{name}.jpg" for name in truth.imlist])
        figures = {"engine": engine, "network": network, "index": changes.to_dict(), "map": {}}
        print(
            f"{engine} {network or ''}: {figures['index']['photos_per_second']} photos/s",
            changes.seconds,
            flush=True,
        )
        for name, judged in zip(STAGES, gallery.evaluate_ways(truth, list(STAGES.values()))):
            figures["map"][name] = judged.map
            print(f"  {name:<22} mAP {judged.map:.4f}", flush=True)
    return figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engines", nargs="+", default=["asmk", "vlad", "cnn", "asmk+cnn", "both"])
    parser.add_argument("--networks", nargs="+", default=["squeezenet1_1", "mobilenet_v2"])
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    if not PHOTOS.exists():
        sys.exit(f"needs the photos in {PHOTOS}")
    truth = GroundTruth.from_json(PHOTOS / "ground_truth.json")
    runs = []
    for engine in arguments.engines:
        for network in [None] if engine in ("vlad", "asmk") else arguments.networks:
            with tempfile.TemporaryDirectory() as folder:
                runs.append(measure(Path(folder), engine, network, truth))
    if arguments.json:
        arguments.json.write_text(json.dumps(runs, indent=2) + "\n")


if __name__ == "__main__":
    main()
