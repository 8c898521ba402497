"""The processes that work under a folder, found by their command lines: model servers, and what a fleet left behind."""

from pathlib import Path

import psutil


def model_servers(folder: Path) -> list[psutil.Process]:
    """The model servers that serve out of a site's data folder."""
    return [process for process in _mentioning(str(folder)) if "edge.serving" in _command(process)]


def left_behind(folder: Path) -> list[psutil.Process]:
    """Every process whose command line names `folder`, but this one and those that started it."""
    ours = {psutil.Process().pid, *(parent.pid for parent in psutil.Process().parents())}
    return [process for process in _mentioning(str(folder)) if process.pid not in ours]


def ray_processes() -> list[psutil.Process]:
    """Ray's servers on this machine."""
    names = ("gcs_server", "raylet")
    return [process for process in psutil.process_iter() if any(name in _name(process) for name in names)]


def _mentioning(text: str) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if text in _command(process)]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return ""


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return ""
