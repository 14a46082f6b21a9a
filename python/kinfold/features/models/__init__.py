"""Models of other makers, each read by a module of its own.

Such a module has ``load(source, choice)``, which gives a ``features.network.Network``, and ``in_one_file(source,
folder)``, the path of one file that ``load`` reads alike wherever it is copied to. ``models.spec`` tells whose a model
is.
"""

METHODS: dict[str, str] = {
    "onnx": "kinfold.features.models.onnx",
    "exported": "kinfold.features.models.exported",
    "timm": "kinfold.features.models.timm",
    "open_clip": "kinfold.features.models.open_clip",
}
