"""Channel options and deadlines: the limits that both ends of a call agree on.

Limits: a message is at most 4 MiB, a chunk of a file 1 MiB, a connection carries 100 streams. Idle links are probed
every 20 s, so that a silent cut is seen within half a minute.
"""

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
MAX_BATCH_CHUNKS = 1024
"""The most records of a spool in one message of SyncTelemetry."""
MAX_CONCURRENT_STREAMS = 100
KEEPALIVE_MS = 20_000
KEEPALIVE_TIMEOUT_MS = 10_000
DEFAULT_BROKER = "127.0.0.1:7443"
"""Where `tidegate up` listens and clients look, unless told otherwise (`TIDEGATE_BROKER`)."""

UNARY_DEADLINE_S = 10.0
PLAN_DEADLINE_S = 90.0
"""A plan over a whole fleet is worked out by a solver, which has a minute."""

Options = tuple[tuple[str, int | str], ...]

_BOTH: Options = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.keepalive_permit_without_calls", 1),
)

CLIENT_OPTIONS: Options = (
    *_BOTH,
    # A reconnection is paced by the caller; the channel itself only has to notice soon.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_retries", 0),
    # One process may hold clients of several brokers, or of one broker after its restart.
    ("grpc.use_local_subchannel_pool", 1),
)

SERVER_OPTIONS: Options = (
    *_BOTH,
    ("grpc.max_concurrent_streams", MAX_CONCURRENT_STREAMS),
    ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
    ("grpc.so_reuseport", 0),
)
