"""Recall-QPS curves of inverted indexes with compressed vectors: Kinfold, faiss and ScaNN in one process.

    python -m benchmarks.index.curves --data sift --n 1000000 --threads 1 --batch 1000 --out curves.json
    python -m benchmarks.index.curves --table curves.json

Each system is built once and kept in the cache folder; Kinfold's anew when the sources of its indexes and quantizers
have changed, others by --rebuild faiss,scann. Every setting of the sweep is timed once; those near a system's best are
timed in further rounds, the systems in turn, and the best counts. `--batch 1` asks 200 queries in a loop. recall 1@1:
the true nearest comes first; 10@10: share of the ten nearest among ten answers; ties are as good. Bytes per vector are
those of the saved file. `--level avx2` is for Kinfold; FAISS_SIMD_LEVEL=AVX2 in the environment is faiss's own.
"""

from __future__ import annotations

from benchmarks import sweep
from benchmarks.peers.inverted import systems

if __name__ == "__main__":
    sweep.main(systems, __doc__)
