"""Engines: what of a photo becomes its one vector. The catalogue is in ``kinfold.gallery``."""
