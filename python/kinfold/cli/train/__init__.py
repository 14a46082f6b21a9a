"""Better weights from photos and videos of your own, in one of several ways.

The result is a file that `kinfold index --weights FILE` takes. While it trains, checkpoints and curves are kept in a
folder beside it, from which --resume goes on.
"""

SUMMARY = "train a network on photos or videos of yours"
# Recipe -> the module that adds its arguments and runs it.
RECIPES: dict[str, str] = {
    "softmax": "kinfold.cli.train.softmax",
    "siamese": "kinfold.cli.train.siamese",
    "triplet": "kinfold.cli.train.triplet",
    "dir": "kinfold.cli.train.dir",
    "sfm": "kinfold.cli.train.sfm",
    "manifold": "kinfold.cli.train.manifold",
    "adapter": "kinfold.cli.train.adapter",
    "video": "kinfold.cli.train.video",
    "drlim": "kinfold.cli.train.drlim",
    "context": "kinfold.cli.train.context",
}
