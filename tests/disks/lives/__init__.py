"""What is lived through on a disk, and what must hold after each cut.

Each life is a class with `run`; it draws everything from one `Random`, so a seed is a life.
"""

from tests.disks.lives.agent import AgentLife
from tests.disks.lives.life import Life
from tests.disks.lives.log import LogLife
from tests.disks.lives.readers import ReadersLife
from tests.disks.lives.spool import SpoolLife
from tests.disks.lives.telemetry import TelemetryLife

LIVES: dict[str, type[Life]] = {life.name: life for life in (LogLife, SpoolLife, AgentLife, TelemetryLife, ReadersLife)}

__all__ = ["LIVES", "Life"]
