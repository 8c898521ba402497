"""The Artifacts service: files by their content, in chunks that may be resumed."""

from collections.abc import AsyncIterator
from typing import Any

from broker.runtime.contents import Contents
from tidegate.model.errors import Refused
from tidegate.model.registry import Artifact
from tidegate.v1 import artifacts_pb2 as wire
from tidegate.v1.artifacts_pb2_grpc import ArtifactsServicer
from tidegate.wire.codec import from_message


class Artifacts(ArtifactsServicer):
    """Convert, call, convert."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    async def Stat(self, request: Any, context: Any) -> Any:
        """How much is here."""
        held, complete = self._contents.held(request.digest)
        return wire.StatResponse(held_bytes=held, complete=complete)

    async def Push(self, requests: AsyncIterator[Any], context: Any) -> Any:
        """The first message says what it is and where it goes on; all of them may carry data."""
        first = await anext(aiter(requests), None)
        if first is None or not first.HasField("artifact"):
            raise Refused("is missing", field="artifact", wanted="the artifact in the first message")

        async def chunks() -> AsyncIterator[bytes]:
            if first.data:
                yield first.data
            async for request in requests:
                yield request.data

        held, complete = await self._contents.receive(from_message(Artifact, first.artifact), first.offset, chunks())
        return wire.PushResponse(held_bytes=held, complete=complete)

    async def Fetch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """From an offset on, all or as much as is asked for."""
        async for offset, data, size in self._contents.send(request.digest, request.offset, request.most_bytes):
            yield wire.FetchResponse(offset=offset, data=data, size_bytes=size)
