"""HTTP/1.1 on one connection, as uvicorn reads it, with the bounds that uvicorn has not.

A request's head is at most `MOST_HEAD_BYTES`, else 431: uvicorn keeps whatever headers come, and a client that never
ends one would be kept room for without end. A connection that says nothing for `STALL_SECONDS` in the middle of a
request, or before its first, is closed: half a request holds a descriptor and its pieces. What is no HTTP at all gets
the protocol's own form of an error.

A request that comes whole in one piece, as small ones do, costs no timer.
"""

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 64 * 1024
STALL_SECONDS = 30.0
_REASONS = {400: b"Bad Request", 431: b"Request Header Fields Too Large"}


class BoundedProtocol(HttpToolsProtocol):
    """See the module. Uvicorn makes one for each connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._in_head = True
        self._whole = False
        self._head_bytes = 0
        self._stalling: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._stop_waiting()
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._head_bytes > MOST_HEAD_BYTES:
            self._refuse(431, "the request's head is too long", "headers", f"at most {MOST_HEAD_BYTES} bytes")
        elif not self._whole:
            self._wait()

    def on_message_begin(self) -> None:
        self._in_head, self._whole, self._head_bytes = True, False, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._whole = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "not a request", "request", "HTTP/1.1")

    def _refuse(self, status: int, message: str, field: str, wanted: str) -> None:
        told = {"error": f"{field}: {message}, wanted {wanted}", "field": field, "wanted": wanted}
        body = json.dumps(told, separators=(",", ":")).encode()
        head = b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (status, _REASONS[status], len(body)) + body)
        self.transport.close()

    def _wait(self) -> None:
        self._stalling = self.loop.call_later(STALL_SECONDS, self._stalled)

    def _stop_waiting(self) -> None:
        if self._stalling is not None:
            self._stalling.cancel()
            self._stalling = None

    def _stalled(self) -> None:
        self.transport.close()
