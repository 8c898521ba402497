"""`python -m edge.serving --config FILE`, or the same as flags for a server of one model.

Flags win over the file. A flag of a model (`--model`, `--model-path`, ...) describes the first one. Logs go to
standard error, a line each.

Exit codes: 0 ended on request; 1 broken (the log has the story); 2 the configuration is refused; 3 a model is
refused, a digest that differs among the reasons; 4 the world: an address in use, a spool that another process writes,
a full disk.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

from edge.serving.config import ServingConfig, config_of, read
from edge.serving.server import Server
from tidegate.model.errors import Broken, Refused, Unavailable
from tidegate.model.workload import Audit

ENDED, BROKEN, CONFIGURATION, MODEL, WORLD = range(5)

_MODEL_FLAGS = {
    "model": "name",
    "model_version": "version",
    "model_path": "path",
    "model_digest": "digest",
    "model_format": "format",
    "generation": "generation",
    "traceparent": "traceparent",
}

log = logging.getLogger("edge.serving")


def main(arguments: Sequence[str]) -> int:
    """Run a model server; returns the exit code."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    given = vars(_parser().parse_args(arguments))

    def configured() -> ServingConfig:
        return config_of(_merged(given))

    try:
        config = configured()
    except Refused as error:
        log.error("the configuration is refused: %s", error)
        return CONFIGURATION
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_life(config, configured))
    except Refused as error:
        log.error("not started: %s", error)
        return MODEL
    except Unavailable as error:
        log.error("not started: %s", error)
        return WORLD
    except Broken as error:
        log.critical("ended: %s", error)
        return BROKEN
    log.info("ended on request")
    return ENDED


async def _life(config: ServingConfig, configured: Any) -> None:
    await Server(config, configured).run()


def _merged(given: dict[str, Any]) -> dict[str, Any]:
    """The file's data with the flags over it."""
    flags = {key: value for key, value in given.items() if value is not None}
    path = flags.pop("config", None)
    merged = read(Path(path)) if path else {}
    of_model = {_MODEL_FLAGS[key]: flags.pop(key) for key in list(flags) if key in _MODEL_FLAGS}
    merged.update(flags)
    if of_model:
        models = merged.get("models")
        first = models[0] if isinstance(models, list) and models and isinstance(models[0], dict) else {}
        rest = models[1:] if isinstance(models, list) else []
        merged["models"] = [{**first, **of_model}, *rest]
    return merged


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m edge.serving", description="Serve ONNX models over the Open Inference Protocol."
    )
    parser.add_argument("--config", help="a JSON file; every key has a flag of its name where that makes sense")
    parser.add_argument("--service", help="the inference service that this answers for")
    parser.add_argument("--site")
    parser.add_argument("--http", metavar="HOST:PORT", help="REST; port 0 for any")
    parser.add_argument("--grpc", metavar="HOST:PORT")
    parser.add_argument("--unix", metavar="PATH", help="REST and control on a Unix socket")
    parser.add_argument("--ready-file", metavar="PATH")
    parser.add_argument("--spool", metavar="DIRECTORY")
    parser.add_argument("--stream", help="this server's stream in the spool")
    parser.add_argument("--spool-max-bytes", type=int)
    parser.add_argument("--audit", choices=[audit.value for audit in Audit])
    parser.add_argument("--sample-every", type=int)
    parser.add_argument("--providers", nargs="*", metavar="NAME", help="ONNX Runtime's; none for CUDA or else the CPU")
    parser.add_argument("--intra-op-threads", type=int)
    parser.add_argument("--parallel-runs", type=int)
    parser.add_argument("--warmup-runs", type=int)
    parser.add_argument("--max-request-bytes", type=int)
    parser.add_argument("--max-concurrent", type=int)
    parser.add_argument("--drain-seconds", type=int)
    parser.add_argument("--insecure-listen", action="store_const", const=True, help="other addresses than loopback too")
    model = parser.add_argument_group("model")
    model.add_argument("--model", metavar="NAME")
    model.add_argument("--model-version")
    model.add_argument("--model-path")
    model.add_argument("--model-digest", metavar="SHA256")
    model.add_argument("--model-format", choices=["onnx"])
    model.add_argument("--generation", type=int)
    model.add_argument("--traceparent")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
