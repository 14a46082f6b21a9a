"""The local features of a photo to one vector."""

from kinfold.base.offered import offered

METHODS: dict[str, str] = {
    "VLAD": "kinfold.aggregate.vlad:VLAD",
    "Fisher": "kinfold.aggregate.fisher:FisherVector",
    "TEmbedding": "kinfold.aggregate.t_embedding:TEmbedding",
}

__getattr__, __dir__ = offered(__name__, METHODS)
