"""Poolings: modules from feature maps (n, k, h, w) to one vector an image (n, d), not normalised.

Each is differentiable, scriptable, and says by ``options()`` what it was made with. ``features.pool.regions`` holds
the poolings that keep regions apart: (n, r, k).
"""

METHODS: dict[str, str] = {
    "mac": "kinfold.features.pool.mac:MAC",
    "spoc": "kinfold.features.pool.spoc:SPoC",
    "gem": "kinfold.features.pool.gem:GeM",
    "crow": "kinfold.features.pool.crow:CroW",
    "flatten": "kinfold.features.pool.flatten:Flatten",
    "rmac": "kinfold.features.pool.rmac:RMAC",
}
# Those that were learnt with a network, and are read from its weights.
LEARNT: dict[str, str] = {"learnt-rmac": "kinfold.features.pool.learnt_rmac:LearntRMAC"}
