"""A client's counters for Prometheus: ten lines, and no thread of their own.

    APIVIDEO_API_KEY=… python prometheus_metrics.py

They are read when Prometheus asks. A program that serves its metrics already needs only the class.
"""

from __future__ import annotations

from collections.abc import Iterator

import libapivideo
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

NOW = {"waiters", "consecutive_failures", "retry_in", "exchanges_in_flight"}


class ApiVideoCollector(Collector):
    def __init__(self, client: libapivideo.Client) -> None:
        self.client = client

    def collect(self) -> Iterator[Metric]:
        for name, value in self.client.stats()._asdict().items():
            kind = GaugeMetricFamily if name in NOW else CounterMetricFamily
            yield kind(f"apivideo_{name}", f"libapivideo.Stats.{name}", value=value)


if __name__ == "__main__":
    client = libapivideo.Client()
    client.get_token()
    REGISTRY.register(ApiVideoCollector(client))
    print(generate_latest().decode())
