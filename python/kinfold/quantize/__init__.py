"""Descriptors to codes: k-means."""

METHODS: dict[str, str] = {"KMeans": "kinfold.quantize.kmeans:KMeans"}
