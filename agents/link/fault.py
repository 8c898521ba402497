"""What a failed call to the broker means to an agent.

Broken is a fault of this process, and ends it. That the broker is broken, or that something else answers at its
address, is no such fault: to the agent it is the world, and is tried again.
"""

import grpc

from tidegate.model.errors import Broken, TidegateError, Unavailable
from tidegate.wire.status import error_of


def fault_of(error: grpc.aio.AioRpcError) -> TidegateError:
    """The broker's refusal as it is; anything else Unavailable."""
    told = error_of(error)
    if isinstance(told, Broken):
        return Unavailable(f"the broker cannot answer: {told.message}", field=told.field, found=told.found)
    return told
