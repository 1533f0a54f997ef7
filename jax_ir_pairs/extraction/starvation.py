"""Whether the system kills processes for want of memory."""

from __future__ import annotations

import re
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
