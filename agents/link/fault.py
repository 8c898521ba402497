"""What a failed call to the broker means to an agent.

Broken is a fault of this process, and ends it. That the broker is broken, or that something else answers at its
address, is no such fault: to the agent it is the world, and is tried again.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

import grpc

from tidegate.model.errors import Broken, TidegateError, Unavailable
from tidegate.wire.status import error_of


def fault_of(error: grpc.aio.AioRpcError) -> TidegateError:
    """The broker's refusal as it is; anything else Unavailable."""
    told = error_of(error)
    if isinstance(told, Broken):
        return Unavailable(f"the broker cannot answer: {told.message}", field=told.field, found=told.found)
    return told


@contextmanager
def told() -> Generator[None]:
    """Turns what a call raises into a family. A call of a session that ends is `Unavailable`, and may be made again.

    gRPC cancels the calls of a channel that is closed, which looks like a cancellation of whoever waits for them; and
    refuses new ones with an error of its own. Only a task that is really being cancelled is cancelled here.
    """
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise fault_of(error) from error
    except grpc.aio.UsageError as error:
        raise Unavailable("the session with the broker has ended") from error
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Unavailable("the session with the broker has ended") from None
