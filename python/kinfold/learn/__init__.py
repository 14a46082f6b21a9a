"""Photos and labels to better networks. ``learn.loop`` is the one loop; what is learnt from is listed here."""

METHODS: dict[str, str] = {
    "softmax": "kinfold.learn.softmax:finetune_softmax",
}
