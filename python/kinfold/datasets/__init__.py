"""Photos, digits and objects with what is true of them, by name. Read from disk: see docs/methods/datasets.md."""

from kinfold.base.offered import offered

METHODS: dict[str, str] = {
    "oxford5k": "kinfold.datasets.oxford:oxford5k",
    "oxford105k": "kinfold.datasets.oxford:oxford105k",
    "paris6k": "kinfold.datasets.oxford:paris6k",
    "paris106k": "kinfold.datasets.oxford:paris106k",
    "holidays": "kinfold.datasets.holidays:holidays",
    "roxford5k": "kinfold.datasets.revisited:roxford5k",
    "rparis6k": "kinfold.datasets.revisited:rparis6k",
    "mnist": "kinfold.datasets.mnist:mnist",
    "small_norb": "kinfold.datasets.norb:small_norb",
    "coil20": "kinfold.datasets.coil:coil20",
    "airplane": "kinfold.datasets.airplane:airplane",
}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
    Collection="kinfold.datasets.collection",
    Digits="kinfold.datasets.mnist",
    Views="kinfold.datasets.views",
    swiss_roll="kinfold.datasets.manifolds",
    s_curve="kinfold.datasets.manifolds",
    two_moons="kinfold.datasets.manifolds",
    two_spirals="kinfold.datasets.manifolds",
)
