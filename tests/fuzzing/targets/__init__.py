"""All targets, by name. Each module is imported when its targets are asked for, so that a run loads what it needs."""

from importlib import import_module

from tests.fuzzing.target import Target

MODULES = {
    "manifests": ("manifests", "policies", "price-books", "price-tables"),
    "wire": ("nouns", "statuses"),
    "broker": ("workloads-rpc", "fleet-rpc", "agents-rpc", "reads-rpc", "telemetry-rpc", "telemetry"),
    "log": ("log-rows", "log-file", "snapshots", "pipes"),
    "agent": ("spool", "held", "broker-words", "archives"),
    "serving": ("tensors-json", "tensors-grpc", "edge-http", "model-files", "serving-config", "traceparent"),
    "commandline": ("command-line", "daemon-flags"),
}
"""Which module has which targets."""

NAMES = tuple(name for names in MODULES.values() for name in names)


def target(name: str) -> Target:
    """The target of that name. KeyError where there is none."""
    module = next((module for module, names in MODULES.items() if name in names), None)
    if module is None:
        raise KeyError(name)
    targets: tuple[Target, ...] = import_module(f"{__name__}.{module}").TARGETS
    return next(one for one in targets if one.name == name)
