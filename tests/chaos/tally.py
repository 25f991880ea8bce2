"""What a storm did to the runs, as a row of a table."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """What the oracle found. ``faults`` counts what was done, ``taken_back_s`` and ``went_on_s``
    contain the seconds from a fault that hit a working run until the run was requeued, and until
    it started again: in between it waits its turn."""

    name: str
    accepted: int = 0
    succeeded: int = 0
    cancelled: int = 0
    failed: int = 0
    given_up: int = 0
    lost: int = 0
    stuck: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)
    refused: int = 0
    fenced: int = 0
    taken_back_s: list[float] = field(default_factory=list)
    went_on_s: list[float] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    took_s: float = 0

    @property
    def holds(self) -> bool:
        return self.accepted > 0 and not (self.lost or self.stuck or self.doubled or self.wrong)

    def row(self) -> dict[str, object]:
        return {
            "storm": self.name,
            "accepted": self.accepted,
            "success": self.succeeded,
            "cancelled": self.cancelled,
            "failed": self.failed,
            "given up": self.given_up,
            "lost": self.lost,
            "stuck": self.stuck,
            "doubled": self.doubled,
            "wrong": len(self.wrong),
            "dup. refused": self.refused,
            "fenced": self.fenced,
            "recovered": len(self.taken_back_s),
            "taken back s": _spread(self.taken_back_s),
            "went on s": _spread(self.went_on_s),
            "faults": sum(self.faults.values()),
            "took s": round(self.took_s),
        }


def table(tallies: list[Tally]) -> str:
    """The tallies, one per line; Seconds: median / maximum. ``given up``: lost its worker at each
    of its attempts."""
    rows = [tally.row() for tally in tallies]
    widths = {key: max(len(key), *(len(str(row[key])) for row in rows)) for key in rows[0]}
    lines = ["  ".join(key.rjust(width) for key, width in widths.items())]
    lines += [
        "  ".join(str(row[key]).rjust(width) for key, width in widths.items()) for row in rows
    ]
    lines += [
        f"{tally.name}: " + ", ".join(f"{n} {what}" for what, n in sorted(tally.faults.items()))
        for tally in tallies
    ]
    lines += [f"{tally.name}: {words}" for tally in tallies for words in tally.wrong[:10]]
    return "\n".join(lines)


def _spread(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} / {max(seconds):.1f}" if seconds else "-"
