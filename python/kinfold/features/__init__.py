"""Pixels to descriptors by networks.

Networks are listed in ``features.backbones``, poolings in ``features.pool``; ``features.extract`` joins them.
"""

from kinfold.base.offered import offered

METHODS: dict[str, str] = {
    "Extractor": "kinfold.features.extract:Extractor",
}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
    RegionalExtractor="kinfold.features.regional",
    neural_codes="kinfold.features.neural_codes",
    receptive_field="kinfold.features.receptive_field",
    explain_match="kinfold.features.explain",
    proposed_regions="kinfold.features.proposals.propose",
    sparse_channels="kinfold.features.explain",
)
