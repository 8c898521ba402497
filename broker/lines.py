"""The broker's log lines on stderr, one line each: time, level, logger, message, `key=value` for what is extra."""

import logging
import sys

_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Line(logging.Formatter):
    """A record as one line; a traceback's line ends are written `\\n`, so that a line stays a record."""

    default_msec_format = "%s.%03d"

    def format(self, record: logging.LogRecord) -> str:
        """Extras stand behind the message."""
        extras = " ".join(f"{key}={value}" for key, value in vars(record).items() if key not in _USUAL)
        text = super().format(record).replace("\n", "\\n")
        return f"{text} {extras}" if extras else text


def start_logging(level: str) -> None:
    """To stderr, from this level up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Line("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each batch that a collector takes says nothing
