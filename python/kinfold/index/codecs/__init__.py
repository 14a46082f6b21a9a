"""What bytes stand for a vector in its cell."""

from kinfold.base.offered import offered
from kinfold.base.registry import Entry

METHODS: dict[str, str] = {
    "RawVectors": Entry(
        "kinfold.index.codecs.raw:RawVectors", slot="codec", spelling="Flat|SQfp16"
    ),
    "ByteVectors": Entry("kinfold.index.codecs.raw:ByteVectors", slot="codec", spelling="SQ8"),
    "ScalarCodes": Entry(
        "kinfold.index.codecs.scalar:ScalarCodes", slot="codec", spelling="SQ{bits}"
    ),
    "LocallyAdaptiveCodes": Entry(
        "kinfold.index.codecs.lvq:LocallyAdaptiveCodes",
        slot="codec",
        spelling="LVQ{bits}[x{second}]",
    ),
    "VectorCodes": Entry("kinfold.index.codecs.vector:VectorCodes", slot="codec", spelling="VQ{k}"),
    "ProductCodes": Entry(
        "kinfold.index.codecs.product:ProductCodes",
        slot="codec",
        spelling="PQ{m}[x{bits}][_direct]",
    ),
    "LocalCodes": Entry(
        "kinfold.index.codecs.local:LocalCodes", slot="codec", spelling="LOPQ{m}[x{bits}]"
    ),
    "LocalHalves": Entry("kinfold.index.codecs.local:LocalHalves", slot="codec"),
}

__getattr__, __dir__ = offered(__name__, METHODS)
