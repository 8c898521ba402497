"""What the acts share: the fleet, a client, the camera's images, and the list of promises."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tidegate.cli import render
from tidegate.cli.local.fleet import LocalFleet
from tidegate.client.client import Client
from tidegate.client.tracing import new_traceparent
from tidegate.model.errors import TidegateError

SERVICE = "line-camera"
LATENCY_P99_MS = 50.0
"""What the service's manifest asks for."""

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Promise:
    """One thing that was to hold, whether it did, and the figure behind it."""

    text: str
    kept: bool
    figure: str


@dataclass
class Run:
    """Predictions sent one after another: how many failed, how many were right, and how long each took."""

    labels: list[int] = field(default_factory=list)
    right: int = 0
    failed: int = 0
    latencies_us: list[int] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    began_ms: int = 0
    ended_ms: int = 0
    first_error: str = ""

    @property
    def accuracy(self) -> float:
        """Share of right answers among those that came."""
        return self.right / len(self.labels) if self.labels else 0.0

    def quantile_ms(self, share: float) -> float:
        """The latency that `share` of the predictions stay within, ms."""
        ordered = sorted(self.latencies_us)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1000 if ordered else float("inf")

    @property
    def median_ms(self) -> float:
        """The middle latency, ms."""
        return statistics.median(self.latencies_us) / 1000 if self.latencies_us else float("inf")


@dataclass
class Stage:
    """One performance of the demo."""

    fleet: LocalFleet
    client: Client
    images: Array
    """Test images that the training job never saw, float32, shape (n, 64)."""
    labels: Array
    promises: list[Promise] = field(default_factory=list)

    def promise(self, text: str, kept: bool, figure: str = "") -> None:
        """Notes a promise and shows it at once."""
        self.promises.append(Promise(text, kept, figure))
        mark, style = ("✔", "green") if kept else ("✘", "red")
        render.line(f"  {mark} {text}" + (f": {figure}" if figure else ""), style)

    def predict(self, count: int) -> Run:
        """Sends `count` predictions, one image each, every one with a trace of its own."""
        run = Run(began_ms=time.time_ns() // 1_000_000)
        for number in range(count):
            index = number % len(self.images)
            traceparent = new_traceparent()
            try:
                prediction = self.client.infer(
                    SERVICE, {"image": self.images[index : index + 1]}, traceparent=traceparent
                )
            except TidegateError as error:
                run.failed += 1
                run.first_error = run.first_error or str(error)
                continue
            label = int(prediction["label"].reshape(-1)[0])
            run.labels.append(label)
            run.right += label == int(self.labels[index])
            run.latencies_us.append(prediction.latency_us)
            run.traces.append(prediction.trace_id)
        run.ended_ms = time.time_ns() // 1_000_000
        return run


def act(number: int, title: str) -> None:
    """The heading of an act."""
    render.line("")
    render.line(f"{number}. {title}", "bold")


def held_out() -> tuple[Array, Array]:
    """The line camera's test images: the part of scikit-learn's digits that the training job holds out."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    _, images, _, labels = train_test_split(
        digits.data, digits.target, test_size=0.25, random_state=7, stratify=digits.target
    )
    return images.astype(np.float32), labels


def summary(promises: Sequence[Promise]) -> bool:
    """The table at the end; says whether every promise was kept."""
    render.line("")
    render.table(
        "promises",
        ["", "promise", "figure"],
        [(render.phase("✔" if one.kept else "✘"), one.text, one.figure) for one in promises],
    )
    broken = sum(not one.kept for one in promises)
    render.line("")
    render.line(
        f"{len(promises) - broken} of {len(promises)} promises kept", "bold green" if not broken else "bold red"
    )
    return not broken
