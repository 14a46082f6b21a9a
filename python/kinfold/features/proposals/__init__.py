"""Regions that a network proposes: anchors, which of them show an object, how they move, and the best that differ."""
