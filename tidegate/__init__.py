"""Tidegate's SDK: submit work, learn where it went and why, and call what serves it.

    import tidegate

    with tidegate.Client() as client:
        decision = client.submit("service.yaml")
        print(client.infer("line-camera", {"image": pixels})["label"])

Names resolve on first use, so that `import tidegate.model` never loads gRPC.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidegate.client.aio import AsyncClient
    from tidegate.client.client import Client
    from tidegate.model.errors import Broken, Conflict, NotFound, Refused, TidegateError, Unavailable

__all__ = ["AsyncClient", "Broken", "Client", "Conflict", "NotFound", "Refused", "TidegateError", "Unavailable"]

_HOMES = {
    "AsyncClient": "tidegate.client.aio",
    "Client": "tidegate.client.client",
    "Broken": "tidegate.model.errors",
    "Conflict": "tidegate.model.errors",
    "NotFound": "tidegate.model.errors",
    "Refused": "tidegate.model.errors",
    "TidegateError": "tidegate.model.errors",
    "Unavailable": "tidegate.model.errors",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tidegate' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
