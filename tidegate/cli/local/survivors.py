"""The processes that work under a folder, found by their command lines: model servers, and what a fleet left behind."""

import json
from pathlib import Path

import psutil


def model_servers(folder: Path) -> list[psutil.Process]:
    """The model servers that serve out of a site's data folder."""
    return [process for process in _mentioning(str(folder)) if "edge.serving" in _command(process)]


def left_behind(folder: Path) -> list[psutil.Process]:
    """Every process whose command line names `folder`, but this one and those that started it."""
    ours = {psutil.Process().pid, *(parent.pid for parent in psutil.Process().parents())}
    return [process for process in _mentioning(str(folder)) if process.pid not in ours]


def ray_cluster(folder: Path) -> str:
    """The folder of the Ray cluster that a cloud site has up now, which its processes name; empty where none is."""
    try:
        journal = json.loads((folder / "ray" / "cluster.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return ""
    return str(journal["temp_dir"])


def ray_processes(cluster: str) -> list[psutil.Process]:
    """What still runs of that cluster."""
    return _mentioning(cluster) if cluster else []


def _mentioning(text: str) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if text in _command(process)]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return ""
