"""Answers to numbers, each with its protocol's name."""

from __future__ import annotations

from kinfold.base.offered import call_by_name
from kinfold.evaluate.average_precision import average_precision
from kinfold.evaluate.compare import Comparison, compare
from kinfold.evaluate.ground_truth import GroundTruth
from kinfold.evaluate.protocols import Evaluation, Protocol, evaluate, mean_average_precision
from kinfold.evaluate.recall import intersection_recall, nearest_recall

METHODS: dict[str, str] = {
    "oxford": "kinfold.evaluate.protocols:OXFORD",
    "lecture": "kinfold.evaluate.protocols:LECTURE",
    "holidays": "kinfold.evaluate.protocols:HOLIDAYS",
    "revisited-easy": "kinfold.evaluate.protocols:REVISITED_EASY",
    "revisited-medium": "kinfold.evaluate.protocols:REVISITED_MEDIUM",
    "revisited-hard": "kinfold.evaluate.protocols:REVISITED_HARD",
}

__all__ = [
    "METHODS",
    "Comparison",
    "Evaluation",
    "GroundTruth",
    "Protocol",
    "average_precision",
    "compare",
    "evaluate",
    "intersection_recall",
    "mean_average_precision",
    "nearest_recall",
]
call_by_name(__name__)
