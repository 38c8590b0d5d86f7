"""What processes used, as the kernel counts it."""

import os
from pathlib import Path

TICKS_S = os.sysconf("SC_CLK_TCK")


def _counted(pid):
    """Return user, system, and both of ended children, in ticks, and the parent."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return [int(field) for field in fields[11:15]], int(fields[1])


def cpu_s(pid):
    """Return the user and system time of a process and its threads."""
    return sum(_counted(pid)[0][:2]) / TICKS_S


def family_cpu_s(pid):
    """Return the user and system time of a process, its children, and those that have ended."""
    ticks = sum(_counted(pid)[0])
    for path in Path("/proc").glob("[0-9]*"):
        try:
            counted, parent = _counted(path.name)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            ticks += sum(counted[:2])
    return ticks / TICKS_S


def resident_mb(pid):
    """Return the resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def load_text():
    """Return how busy the machine was in the last minute, and on how many processors."""
    return f"load {os.getloadavg()[0]:.2f} on {os.cpu_count()}"
