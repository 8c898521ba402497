"""The broker's own spans: one for each submission or plan, with a child for each step it went through.

The caller's `traceparent` is continued, and the span's own context is what the submission records; so agents, jobs and
predictions can link to the decision however much later they come. Steps are reported as they end, so a step's span
lasts from the end of the one before it.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from broker.runtime.clock import Clock
from tidegate.model.decision import Decision, Outcome

_PROPAGATOR = TraceContextTextMapPropagator()


class Steps:
    """The steps of one call, and what the call's span says of them."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span, clock: Clock) -> None:
        self._tracer = tracer
        self._span = span
        self._clock = clock
        self._ended: list[tuple[str, int, int, dict[str, int]]] = []
        self._since = clock.wall_ns()
        self._ids: dict[str, str] = {}

    @property
    def traceparent(self) -> str:
        """W3C trace context of the call's span."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, trace.set_span_in_context(self._span))
        return carrier.get("traceparent", "")

    def watch(self, step: str, counts: dict[str, int]) -> None:
        """A step has ended."""
        now = self._clock.wall_ns()
        self._ended.append((step, self._since, now, counts))
        self._since = now

    def about(self, *, name: str = "", workload: str = "") -> None:
        """Which workload the call is about."""
        self._ids |= {key: value for key, value in (("tidegate.name", name), ("tidegate.workload", workload)) if value}
        self._span.set_attributes(self._ids)

    def decided(self, decision: Decision) -> None:
        """What came out, in counts."""
        self._span.set_attributes(
            {
                "tidegate.outcome": str(decision.outcome),
                "tidegate.candidates": len(decision.candidates),
                "tidegate.allowed": decision.allowed,
                "tidegate.sites": list(decision.sites),
                "tidegate.cost_micros_per_hour": decision.cost.total,
                "tidegate.revision": decision.revision,
            }
        )
        if decision.outcome is Outcome.REFUSED:
            self._span.set_status(trace.StatusCode.ERROR, "no candidate")
        for column in decision.columns:
            if misses := column.refused(len(decision.candidates)):
                self._span.set_attribute(f"tidegate.misses.{column.rule}", misses)

    def finish(self) -> None:
        """Write the children down; their parent is about to end."""
        context = trace.set_span_in_context(self._span)
        for step, start, end, counts in self._ended:
            attributes: dict[str, Any] = {f"tidegate.{key}": value for key, value in counts.items()}
            child = self._tracer.start_span(step, context, attributes=attributes | self._ids, start_time=start)
            child.end(end)


class Tracing:
    """Makes the spans; the exporter decides where they go. Its own provider, so two brokers can share a process."""

    def __init__(self, exporter: SpanExporter, clock: Clock, site: str = "broker") -> None:
        self._clock = clock
        resource = Resource.create({"service.name": "tidegate-broker", "tidegate.site": site})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
        self._tracer = self._provider.get_tracer("broker")

    @contextmanager
    def call(self, name: str, context: Any) -> Generator[Steps]:
        """The span of one call, a child of the caller's where it sent `traceparent`."""
        carrier = {
            key: value for key, value in (context.invocation_metadata() or ()) if key in ("traceparent", "tracestate")
        }
        with self._tracer.start_as_current_span(name, _PROPAGATOR.extract(carrier), kind=trace.SpanKind.SERVER) as span:
            steps = Steps(self._tracer, span, self._clock)
            try:
                yield steps
            finally:
                steps.finish()

    def flush(self) -> None:
        """Export what waits, and stop. Blocks for at most 5 s."""
        self._provider.force_flush(5_000)
        self._provider.shutdown()
