"""Poolings: modules from feature maps (n, k, h, w) to one number a map (n, k), not normalised."""

METHODS: dict[str, str] = {
    "mac": "kinfold.features.pool.mac:MAC",
    "spoc": "kinfold.features.pool.spoc:SPoC",
    "gem": "kinfold.features.pool.gem:GeM",
}
