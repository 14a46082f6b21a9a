"""What a server counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """Requests by route and status, their times, and what is asked of the server now.

    gauges : name -> what it means, and what says its value
    """

    def __init__(self, gauges: dict[str, tuple[str, Callable[[], float]]]) -> None:
        # One of its own: two servers in a process do not count together.
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "kinfold_requests", "Requests answered", ["route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "kinfold_request_seconds", "From a request to the end of its answer", ["route"],
            registry=self._registry, buckets=_BUCKETS,
        )  # fmt: skip
        for name, (text, value) in gauges.items():
            Gauge(f"kinfold_{name}", text, registry=self._registry).set_function(value)

    def seen(self, scope: Any, status: int, seconds: float) -> None:
        """Count an answer, under the route's pattern: what is asked with is nobody's business."""
        route = getattr(scope.get("route"), "path", None) or "other"
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self._registry)
