"""Photos and labels to better networks. ``learn.loop`` is the one loop; what is learnt from is listed here."""

from kinfold.base.offered import offered

METHODS: dict[str, str] = {
    "softmax": "kinfold.learn.softmax:finetune_softmax",
    "siamese": "kinfold.learn.siamese:finetune_siamese",
    "triplet": "kinfold.learn.triplet:finetune_triplet",
    "tuples": "kinfold.learn.tuples:finetune_tuples",
    "sfm": "kinfold.learn.sfm:finetune_sfm",
    "regions": "kinfold.learn.regions:finetune_regions",
    "proposals": "kinfold.learn.proposals:train_proposals",
    "manifold": "kinfold.learn.manifold:finetune_manifold",
    "adapter": "kinfold.learn.adapter:Adapter",
    "video": "kinfold.learn.video:train_video",
    "drlim": "kinfold.learn.drlim:DrLIM",
    "context": "kinfold.learn.context:context_prediction",
}

# What is learnt and can be saved.
SAVED = {"Adapter": METHODS["adapter"], "DrLIM": METHODS["drlim"]}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
    CoVisible="kinfold.learn.covisible",
    Tuples="kinfold.learn.tuples",
    whitening_of="kinfold.learn.sfm",
    whitened_regions="kinfold.learn.regions",
    mine_on_manifold="kinfold.learn.mine.on_manifold",
    mine_tracks="kinfold.learn.mine.tracks",
)
