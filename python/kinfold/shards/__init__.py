"""An index whose rows are divided among several files, each opened where its part of the work is done.

divide(index, folder, n)      one index to n shards: what was learnt is the same in all, rows go by their ids
ShardedIndex.open(folder)     asks all of them; its answers are those of the one index, bit for bit
  sharded    ShardedIndex: queries are checked and prepared once, by the index's own kind
  scattered  the rows of all shards, as that kind sees them: its searches go to every shard, and come back merged
  merge      the best of several answers, by distance and then id, as each of them is ordered
  crew       a worker (kinfold.workers) for each shard; one that ends is started anew, and given what it had since
  shard      what lives in a worker: an index from its file
  manifest   which files there are: replaced last, when all of them are written
  divide     which shard an id belongs to, and how an index is divided
"""

from __future__ import annotations

from kinfold.base.offered import offered

__getattr__, __dir__ = offered(
    __name__,
    {},
    ShardedIndex="kinfold.shards.sharded",
    divide="kinfold.shards.divide",
    shard_of="kinfold.shards.divide",
)
