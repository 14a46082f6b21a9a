"""What training makes small. Each is a module of torch, and listed here.

A loss of pairs takes ``(first, second, similar)``, one of triplets ``(anchor, positive, negative)``: vectors (n, d) of
one device and dtype, and gives their mean. ``of(descriptors, found)`` takes what a miner found among the rows of one
batch instead, whichever of the two it is. That of context prediction takes scores and the true positions.
"""

from kinfold.base.offered import offered

METHODS: dict[str, str] = {
    "contrastive": "kinfold.learn.losses.contrastive:ContrastiveLoss",
    "triplet": "kinfold.learn.losses.triplet:TripletLoss",
    "contrastive-triplet": "kinfold.learn.losses.contrastive_triplet:ContrastiveTripletLoss",
    "cosine-triplet": "kinfold.learn.losses.cosine_triplet:CosineTripletLoss",
    "context": "kinfold.learn.losses.context:ContextLoss",
}

__getattr__, __dir__ = offered(__name__, METHODS)
