"""Whether the system is short of memory and cores: what it kills, and what it lets wait."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_COUNTER = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def num_starved(statistics: Path = Path("/proc/vmstat")) -> int | None:
    """Gives how many processes the kernel has killed for their memory since it started.

    Those of a control group's own limit are among them. None where the kernel does not say: it is
    Linux from 4.13 on that does.
    """
    try:
        found = _COUNTER.search(statistics.read_text())
    except OSError:
        return None
    return int(found[1]) if found else None


def waits_for_a_core(process: int, processes: Path = Path("/proc")) -> Mapping[int, float]:
    """Gives how long each thread of a process has been ready to run, and waited for a core, in s.

    None of them where the kernel does not say: it is Linux with `CONFIG_SCHED_INFO` that does
    (Documentation/scheduler/sched-stats.rst). The quota of a control group is among the reasons.
    """
    waits: dict[int, float] = {}
    with suppress(OSError):
        for thread in (processes / str(process) / "task").iterdir():
            with suppress(OSError):  # it has ended meanwhile
                waits[int(thread.name)] = int((thread / "schedstat").read_text().split()[1]) / 1e9
    return waits
