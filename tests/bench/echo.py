"""A bare gRPC echo in a process of its own: what a unary call costs when nothing is decided and nothing is written."""

import asyncio
import sys

import grpc.aio
import uvloop

METHOD = "/bench.Echo/Say"


class Echo(grpc.GenericRpcHandler):
    """Sends the bytes back."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def say(request: bytes, _: grpc.aio.ServicerContext) -> bytes:
            return request

        return grpc.unary_unary_rpc_method_handler(say)


async def main() -> None:
    """Prints its port, then serves until its standard input closes."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo(),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(0)


if __name__ == "__main__":
    uvloop.run(main())
