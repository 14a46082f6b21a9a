"""Writes docs/systems.md, and the table of systems in README.md, from the list below.

python dev/systems.py

Each system of the field is one entry: what it is here, which page says what it computes, which program measures it,
which figure draws it, and one result. Every number of a result stands in the section of benchmarks/RESULTS.md that it
is of; tests/docs/test_systems.py holds the list against code, pages, programs and results.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE, README = ROOT / "docs" / "systems.md", ROOT / "README.md"
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
BEGIN, END = "<!-- dev/systems.py -->", "<!-- end -->"
HEAD = """# Systems of the field, and where they are here

From visual words to diffusion: each system, the class or command that is it, the page that says what it computes, the
[figure](figures.md) that draws it, the program of `benchmarks` that measures it, and one result, which stands with its
machine and its circumstances in the section of [the results](../benchmarks/RESULTS.md) that it links to. *Photos* are
898 real photos with 82 queries. `dev/systems.py` writes this page.
"""


@dataclass(frozen=True)
class System:
    """One system of the field.

    here : names in the library, factory words in quotes, and commands, the first being the shortest way to it
    pages : of docs/methods, without ending
    measured : programs, in benchmarks
    section : heading of RESULTS.md
    result : one line whose numbers stand in that section; without a section, words alone
    figure : of `kinfold figures`
    """

    name: str
    here: tuple[str, ...]
    pages: tuple[str, ...]
    measured: tuple[str, ...] = ()
    section: str = ""
    result: str = ""
    figure: str = ""


_PHOTOS, _AGGREGATES, _FLOWS = "Retrieval on real photos", "Aggregates", "Diffusion and random walks"  # fmt: skip
_LOPQ, _EMBEDDINGS = "Locally optimized product quantization", "Embeddings of manifolds"
_METHODS = ("features/map_cnn.py",)

SYSTEMS: dict[str, tuple[System, ...]] = {
    "Images as words, and their geometry": (
        System(
            "visual words, vocabulary trees, soft assignment", ("VisualWords",), ("words",), ("local/words.py",),
            "Bag of words", "65,536 words: 4 paths of a tree find 0.92 in 14 us, exact 51 us",
        ),
        System(
            "bag of words, tf-idf, inverted file", ("BagOfWords", "kinfold index --engine bow"), ("bag_of_words",),
            ("local/bags_of_a_million.py", "local/bag_of_words.py"), "Bag of words",
            "a million photos in 1.25 GB, 34.6 ms a query",
        ),
        System(
            "Hamming embedding", ("words.HammingEmbedding",), ("bag_of_words",), ("local/bag_of_words.py",),
            "Bag of words", "photos: mAP 0.6226, words alone 0.5980",
        ),
        System(
            "spatial verification, RANSAC, re-ranking", ("local.verify_many", "kinfold search --rerank spatial"),
            ("spatial",), ("local/verify.py",), "Spatial verification", "4,041 to 4,743 homographies a second",
        ),
        System(
            "ASMK, ASMK*", ("ASMK", "kinfold index --engine asmk"), ("asmk",),
            ("local/asmk_peer.py", "local/asmk_map.py"), "ASMK beside the public package",
            "1,000 photos: 177.2 times the authors' package, scores equal to 6·10⁻⁷",
        ),
        System(
            "VLAD", ("VLAD", "kinfold index --engine vlad"), ("vlad",), ("local/aggregates.py",), _AGGREGATES,
            "photos: mAP .582, to 128 dimensions 0.616",
        ),
        System(
            "Fisher vector", ("FisherVector", "kinfold index --engine fisher"), ("fisher",), ("local/aggregates.py",),
            _AGGREGATES, "photos: mAP .599, to 128 dimensions 0.642",
        ),
        System(
            "triangulation embedding, democratic weights", ("TEmbedding", "kinfold index --engine tembedding"),
            ("t_embedding",), ("local/aggregates.py",), _AGGREGATES, "photos: mAP 0.648; VLAD .582, Fisher .599",
            "triangulation",
        ),
        System(
            "what is hard: scale, parts, viewpoint, occlusion, clutter, light",
            ("datasets.challenges.render_challenges",), ("datasets",), ("gallery/challenges.py",),
            "What is hard for which engine", "from afar ASMK .750, one VLAD vector .243, verified .626",
        ),
        System(
            "landmark groups", ("kinfold groups",), ("groups",), ("gallery/groups.py",), "Groups",
            "pairs found with precision 1.0000, recall 0.891",
        ),
        System(
            "location and landmark recognition", ("kinfold locate",), ("locate",), ("gallery/locate.py",),
            "Where photos were taken", "made-up geotags, 20 % wrong: 0.769 answered, 51 m off, 0 of 223 wrong",
        ),
        System(
            "local features of networks: ALIKED, XFeat, LighterGlue",
            ("local.lighterglue.LighterGlue", "kinfold index --features xfeat --local-weights FILE"), ("extractors",),
            ("local/extractors.py",), "Learned local features",
            "of 19 hard queries XFeat answers 7 right, with LighterGlue 11, ALIKED 12, SIFT 5",
        ),
        System(
            "honest answers: verdicts, calibrated confidence", ("kinfold search", "Gallery"), ("confidence",),
            ("gallery/confidence.py",), "How sure answers are",
            "expected calibration error .038; 0 of 82 answered where nothing is there, share found 0.927",
        ),
        System(
            "copies and edited copies told from other shots", ("kinfold dedup",), ("dedup",),
            ("gallery/copies.py",), "Copies and other shots",
            "8 edits at five strengths: F1 .9964, phash .7250; other shots called copies: 4 of 822",
        ),
        System(
            "photos that come and go", ("kinfold index", "kinfold watch"), ("gallery",),
            ("gallery/growth.py",), "Adding photos to a gallery",
            "ten photos more: 4.4 s of the processor at 10,000 photos, 14.7 at 100,000",
        ),
        System(
            "filters by folder, date and id", ("kinfold search --folder F --since 2024", "gallery.PhotoFilter"),
            ("gallery",), (), "", "the full ranking, restricted, with every engine, index and second look",
        ),
    ),
    "Networks as descriptors": (
        System(
            "image ranking by a network's layers", ("kinfold index --weights FILE --layer conv5",), ("backbones",),
            ("gallery/map_photos.py",), _PHOTOS, "photos: mAP 0.781 (SqueezeNet), 0.821 with MobileNetV2",
            "network-ranking",
        ),
        System(
            "any model: ONNX, timm, open_clip, torch.export, packages with weights",
            ("Extractor", "kinfold index --weights MODEL"), ("models",), ("features/packaged.py",), _PHOTOS,
            "EfficientNet-Lite2 from a package: mAP .816 by GeM, .794 by the mean",
        ),
        System(
            "neural codes", ("features.neural_codes", "kinfold index --weights FILE --layer fc6"), ("neural_codes",),
            ("features/published.py",), _PHOTOS,
            "published 43.5 on Oxford5k (fc6): obtained where the weights are given",
        ),
        System(
            "fine-tuned codes", ("learn.finetune_softmax", "kinfold train softmax"), ("finetuning",),
            ("learn/codes.py", "learn/metric.py"), "Neural codes before and after fine-tuning",
            "photos, MobileNetV2: +.002 ± .013, within chance; COIL-20 at a rate of 1e-3: −.021",
        ),
        System(
            "regional features, exhaustive matching",
            ("features.RegionalExtractor", "index.RegionalIndex", "kinfold index --weights FILE --engine regions",
            "kinfold search --rerank regions"),
            ("regional",), ("features/regions.py", "graph/map_regional.py"), _FLOWS,
            "photos: mAP .7510, one vector .7309",
        ),
        System(
            "R-MAC", ("features.pool.rmac.RMAC", "kinfold index --weights FILE --pooling rmac"), ("poolings",),
            _METHODS, _PHOTOS, "photos, SqueezeNet: mAP .7092, MAC .6573; whitened .7953", "regions",
        ),
        System(
            "MAC", ("features.pool.mac.MAC", "kinfold index --weights FILE --pooling mac"), ("poolings",), _METHODS,
            _PHOTOS, "photos, SqueezeNet: mAP .6573, whitened .6914",
        ),
        System(
            "MAC: what makes two photos alike", ("features.explain_match", "kinfold search --html PAGE"),
            ("explain",), (), "", "contributions of channels add up to the similarity", "mac-match",
        ),
        System(
            "SPoC, with a centre prior", ("features.pool.spoc.SPoC", "kinfold index --weights FILE --pooling spoc"),
            ("poolings",), _METHODS, _PHOTOS, "photos, SqueezeNet: mAP .6954, whitened .7844; with the prior .6893",
        ),
        System(
            "CroW", ("features.pool.crow.CroW", "kinfold index --weights FILE --pooling crow"), ("poolings",),
            _METHODS, _PHOTOS, "photos, SqueezeNet: mAP .7133, whitened .7906",
        ),
        System(
            "CroW: channels and places that count", ("features.sparse_channels",), ("explain",), (), "",
            "the ten sparsest channels of a query are on the page of its answer", "channels",
        ),
        System(
            "GeM", ("features.pool.gem.GeM", "kinfold index --weights FILE"), ("gem",), _METHODS, _PHOTOS,
            "photos, SqueezeNet: mAP .7291 (p = 2), whitened .7850",
        ),
        System(
            "PCA-whitening, learned whitening", ("PCA", "LearnedWhitening"), ("pca", "whitening"), _METHODS, _PHOTOS,
            "learnt on other photos, SqueezeNet: mAP 0.769 to 0.800",
        ),
    ),
    "Search by vector": (
        System(
            "exact search", ("FlatIndex",), ("flat",), ("index/test_flat.py",), "Exact search",
            "a million SIFT, batches of 1000: 14.11 times faiss",
        ),
        System(
            "k-nearest-neighbour classifier, NBNN, local NBNN", ("KNNClassifier", "NBNN", "LocalNBNN"), ("classify",),
            (), "", "equal to scikit-learn's and to loops over the definitions",
        ),
        System(
            "k-d tree", ("KDTree",), ("kd_tree",), ("index/kd_tree.py",), "k-d trees",
            "2.0 to 14.6 times the best of its peers; 390 of 3,125 leaves in 14 dimensions", "kd-tree",
        ),
        System(
            "randomized k-d trees with one queue", ("KDForest", '"KDForest8"'), ("kd_forest",), ("index/forest.py",),
            "Randomized k-d forests and hash tables", "4.8 to 10 times FLANN at equal recall", "kd-forest",
        ),
        System(
            "locality-sensitive hashing", ("SignQuantizer", "HammingIndex", '"LSH256"', '"LSH16x8"'), ("lsh",),
            ("index/hamming.py",), "Binary codes", "batches 3.6 to 6.5 times faiss", "hyperplanes",
        ),
        System(
            "vector quantization, k-means", ("KMeans", "VectorQuantizer", '"VQ4096"'), ("vq", "kmeans"),
            ("quantize/test_kmeans.py",), "k-means", "k = 65536: 6.63 times faiss", "quantizers",
        ),
        System(
            "product quantization", ("ProductQuantizer", '"PQ8"'), ("pq",), ("index/codes.py",),
            "Exhaustive scans of product codes", "recall@1 0.278 at 8 bytes; batches 16.3 to 83.6 times faiss",
            "quantizers",
        ),
        System(
            "inverted index of residuals", ("CellIndex", '"IVF4096,PQ16"'), ("cells",), ("index/curves.py",),
            "How an inverted index grows", "a million SIFT: recall 0.878 at 17,781 queries a second",
            "inverted-lists",
        ),
        System(
            "inverted multi-index", ("index.multi_sequence", '"IMI2x8,PQ16"'), ("cells",), ("index/multi.py",),
            "Inverted multi-index", "1.0 to 4.2 times faiss at equal recall", "multi-index",
        ),
        System(
            "optimized product quantization", ("OPQ", '"OPQ16,PQ16"'), ("opq",),
            ("index/lopq.py", "quantize/test_opq.py"), _LOPQ, "Oxford5k's vectors, 8 bytes: recall@1 .434, PQ .314",
            "rotations",
        ),
        System(
            "locally optimized product quantization, Multi-LOPQ",
            ("LocallyOptimizedPQ", '"IVF1024,LOPQ16"', '"IMI2x8,LOPQ16"'), ("lopq",), ("index/lopq.py",), _LOPQ,
            "Oxford5k's vectors, 8 bytes: recall@1 .572, OPQ .434", "rotations",
        ),
        System(
            "an index under a gallery's vectors", ("kinfold index --search IVF1024,LOPQ16",), ("gallery",),
            ("gallery/indexed.py",), "Galleries with an index, and by regions",
            "898 photos under SQ8: mAP 0.7810 as the scan; 100,000 vectors under IVF1024,Flat: 0.78 ms, the scan 2.26",
        ),
    ),
    "Manifolds": (
        System(
            "principal component analysis", ("PCA", '"PCA64,Flat"'), ("pca",), ("manifold/pictures.py",), _EMBEDDINGS,
            "digits held out, five components: squared error 36.0", "rotations",
        ),
        System(
            "local PCA", ("LocalPCA",), ("manifold",), ("manifold/pictures.py",), _EMBEDDINGS,
            "digits held out: error 26.0 in ten cells, 36.0 in one", "local-pca",
        ),
        System(
            "Isomap", ("Isomap",), ("manifold",), ("manifold/embeddings.py",), _EMBEDDINGS,
            "10,000 digits: 4.1 times scikit-learn, equal to 9e-7", "roll",
        ),
        System(
            "kernel PCA", ("KernelPCA",), ("manifold",), ("manifold/embeddings.py",), _EMBEDDINGS,
            "1.4 times scikit-learn, equal to 7e-7", "roll",
        ),
        System(
            "locally linear embedding, Laplacian eigenmaps", ("LocallyLinearEmbedding", "LaplacianEigenmaps"),
            ("manifold",), ("manifold/embeddings.py",), _EMBEDDINGS, "2.1 and 2.2 times scikit-learn", "roll",
        ),
        System(
            "reciprocal nearest-neighbour graph", ("KNNGraph",), ("diffusion",), ("graph/knn_graph.py",),
            "Neighbour graphs", "100,000 SIFT, exact: 6.0 s, pynndescent 24.2 s",
        ),
        System(
            "ranking by a random walk", ("RandomWalk", "kinfold search --rerank random-walk"), ("diffusion",),
            ("graph/diffusion.py",), _FLOWS,
            "two moons: 0.033 from the limit after 300 steps, 20 iterations of conjugate gradients 0.050",
            "manifold-walk",
        ),
        System(
            "the linear system, by conjugate gradients", ("Diffusion", "kinfold search --rerank diffusion"),
            ("diffusion",), ("graph/diffusion.py", "graph/reach.py"), _FLOWS,
            "COIL-20: mAP .601 to .966; a million nodes 3.6 times scipy", "manifold-walk",
        ),
        System(
            "several queries at once", ("Diffusion.rank",), ("diffusion",), ("graph/diffusion.py",), _FLOWS,
            "64 right-hand sides: 6.3 ms each, one alone 21.8", "manifold-queries",
        ),
        System(
            "truncated, offline and spectral ranking", ("TruncatedDiffusion", "OfflineDiffusion", "SpectralRanking"),
            ("diffusion",), ("graph/forms.py",), _FLOWS,
            "a million nodes: 2.5 ms truncated, .88 offline, 213 in full",
        ),
        System(
            "regional diffusion, generalised max pooling",
            ("RegionalDiffusion", "kinfold search --rerank regional-diffusion"), ("diffusion", "regional"),
            ("graph/map_regional.py",), _FLOWS, "photos: mAP .7916, Euclidean .7510",
        ),
        System(
            "query expansion, database augmentation, k-reciprocal", ("rerank.query_expansion", "rerank.k_reciprocal"),
            ("expansion",), ("graph/map_rerank.py",), "Neighbour graphs",
            "Oxford5k's vectors: mAP .4808 by k-reciprocal, .4218 by augmentation, cosine .4029",
        ),
    ),
    "Learning": (
        System(
            "siamese architecture, contrastive loss",
            ("learn.finetune_siamese", "learn.losses.ContrastiveLoss", "kinfold train siamese"), ("learning",),
            ("learn/metric.py",), "Pairs, triplets and classes of labelled photos",
            "SqueezeNet, some 160 labelled photos: +.005 ± .014, within chance", "losses",
        ),
        System(
            "triplet architecture and loss, miners",
            ("learn.finetune_triplet", "learn.losses.TripletLoss", "kinfold train triplet"), ("learning",),
            ("learn/metric.py",), "Pairs, triplets and classes of labelled photos",
            "SqueezeNet, some 160 labelled photos: +.005 ± .013, within chance", "losses",
        ),
        System(
            "an explicit map from similar pairs (DrLIM): digits", ("DrLIM", "kinfold train drlim"), ("drlim",),
            ("learn/drlim_mnist.py",), "Explicit maps of few dimensions",
            "fours and nines held out: .971, Isomap .821, PCA .615",
        ),
        System(
            "the same: poses on a cylinder", ("learn.similar.pose_pairs",), ("drlim",), ("learn/drlim_pose.py",),
            "Explicit maps of few dimensions", "an airplane: correlation with azimuth .988 to .992", "poses",
        ),
        System(
            "learning from context", ("learn.context_prediction", "kinfold train context"), ("context",),
            ("learn/context.py",), "Context prediction",
            "positions of new photos .255 (chance .125); a lens left in: .845", "context",
        ),
        System(
            "the same: nearest patches", ("kinfold figures nearest-patches --weights FILE",), ("context",),
            ("learn/context.py",), "Context prediction", "COIL-20, GeM: .676, .646, .632; untrained .553, .556, .538",
            "nearest-patches",
        ),
        System(
            "learning from tracking in video", ("learn.mine.mine_tracks", "local.KCF", "kinfold train video"),
            ("video",), ("learn/video.py",), "Tracking, and learning from it",
            "97 of a hundred mined pairs right; COIL-20 .583 to .618", "video-pairs",
        ),
        System(
            "deep image retrieval: cleaning, boxes, proposals, learnt R-MAC",
            ("landmarks.clean_classes", "landmarks.object_boxes", "learn.train_proposals",
            "learn.finetune_regions", "kinfold train dir"),
            ("deep_image_retrieval",), ("learn/dir.py",), "Deep image retrieval: cleaning, boxes, proposals",
            "20 proposals cover .917 of rendered boxes, the grid .854; real photos: no gain to be told from chance",
        ),
        System(
            "learning from bags of words and 3-d reconstruction",
            ("learn.finetune_sfm", "landmarks.covisible", "landmarks.reconstruct", "kinfold train sfm"), ("sfm",),
            ("learn/sfm.py", "learn/sfm_rendered.py"), "Photos without labels",
            "clusters 99.6% right; photos −.000 ± .014; rendered buildings +0.039",
        ),
        System(
            "mining on manifolds",
            ("learn.mine.mine_on_manifold", "learn.finetune_manifold", "kinfold train manifold"), ("mining",),
            ("learn/manifold.py",), "Learning from one's own photos without labels",
            "photos: half of the positives right (.496), gain +.001 ± .026, within chance", "mined-sets",
        ),
        System(
            "a network's descriptors adapted to a collection", ("learn.Adapter", "kinfold train adapter"),
            ("adapter",), ("learn/adapter.py",), "Learning from one's own photos without labels",
            "MobileNetV2, its own things: mAP .7468 to .7787; SqueezeNet within chance",
        ),
    ),
    "Judging": (
        System(
            "average precision, junk, mP@k, recall", ("evaluate.average_precision", "kinfold eval"), ("evaluation",),
            (), "", "five conventions, each to the worked example's last digit", "ranked-list",
        ),
        System(
            "Oxford5k, Paris6k, Holidays, revisited", ("kinfold eval --dataset oxford5k", "datasets.oxford5k"),
            ("datasets",), ("features/published.py", "graph/map_oxford.py"), _FLOWS,
            "CaffeNet's vectors of Oxford5k: cosine .4029; revisited 0.289, 0.211, 0.046",
        ),
        System(
            "MNIST, NORB, COIL-20, a rendered airplane",
            ("datasets.mnist", "datasets.small_norb", "datasets.coil20", "datasets.airplane"), ("datasets",), (), "",
            "read from disk as they are published; the airplane is rendered",
        ),
    ),
}  # fmt: skip


def anchor(heading: str) -> str:
    """Of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name.strip(chr(34))}`" for name in names)


def page() -> str:
    """docs/systems.md."""
    parts = [HEAD]
    for title, systems in SYSTEMS.items():
        parts.append(
            f"## {title}\n\n| system | here | page | figure | measured by | result |\n|---|---|---|---|---|---|"
        )
        for each in systems:
            pages = ", ".join(
                f"[{name.replace('_', ' ')}](methods/{name}.md)" for name in each.pages
            )
            drawn = f"[{each.figure}](pictures/figures/{each.figure}.png)" if each.figure else ""
            programs = ", ".join(f"`{name}`" for name in each.measured) or "tests"
            link = f"../benchmarks/RESULTS.md#{anchor(each.section)}"
            result = f"[{each.result}]({link})" if each.section else each.result
            parts.append(
                f"| {each.name} | {_code(each.here)} | {pages} | {drawn} | {programs} | {result} |"
            )
        parts.append("")
    return "\n".join(parts)


def table() -> str:
    """The table of README.md."""
    rows = ["| system | here | figure | measured |", "|---|---|---|---|"]
    for title, systems in SYSTEMS.items():
        rows.append(f"| **{title}** | | | |")
        for each in systems:
            picture = (
                f"[{each.figure}](docs/pictures/figures/{each.figure}.png)" if each.figure else ""
            )
            rows.append(f"| {each.name} | {_code(each.here[:2])} | {picture} | {each.result} |")
    return "\n".join(rows)


def readme(text: str) -> str:
    """README.md with the table between its marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
