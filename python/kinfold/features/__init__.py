"""Pixels to descriptors by networks.

Networks are listed in ``features.backbones``, poolings in ``features.pool``; ``features.extract`` joins them.
"""

METHODS: dict[str, str] = {
    "Extractor": "kinfold.features.extract:Extractor",
}
