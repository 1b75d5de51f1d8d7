"""The one budget, in seconds, that every deadline of a stop derives from."""

from __future__ import annotations

import math
from dataclasses import dataclass


class BudgetError(ValueError):
    """The phases of a stop do not fit into the grace period."""


@dataclass(frozen=True)
class Budget:
    """How long each phase of a stop may take, in seconds.

    The platform kills the process at the end of ``grace``. ``margin`` is what is kept back for the
    process to end, the server to notice and the clocks to disagree::

        |--- drain ---|------ requests ------|--- cleanup ---|- margin -|
        signal                                            deadline    grace (SIGKILL)
    """

    grace: float
    drain: float
    requests: float
    cleanup: float
    margin: float

    @classmethod
    def derive(
        cls,
        grace: float = 30,
        *,
        drain: float | None = None,
        requests: float | None = None,
        cleanup: float | None = None,
    ) -> Budget:
        """Share *grace* out: a sixth as margin (2 s at least), the rest as 1 : 3 : 1.

        Raises:
            BudgetError: a phase is negative or not finite, or their sum exceeds *grace*.
        """
        margin = max(2.0, grace / 6)
        shared = grace - margin
        budget = cls(
            grace=grace,
            drain=shared / 5 if drain is None else drain,
            requests=shared * 3 / 5 if requests is None else requests,
            cleanup=shared / 5 if cleanup is None else cleanup,
            margin=margin,
        )
        budget._check()
        return budget

    @property
    def deadline(self) -> float:
        """When a process must have stopped by itself, in seconds after the signal."""
        return self.drain + self.requests + self.cleanup

    @property
    def kill_after(self) -> int:
        """When a parent process may kill its workers; servers take whole seconds only."""
        return math.ceil(self.deadline + self.margin / 4)

    def _check(self) -> None:
        phases = {
            "drain": self.drain,
            "requests": self.requests,
            "cleanup": self.cleanup,
            "margin": self.margin,
        }
        for name, seconds in {**phases, "grace": self.grace}.items():
            if not (math.isfinite(seconds) and seconds >= 0):
                raise BudgetError(f"{name} must be 0 or more seconds, not {seconds:g}")
        total = sum(phases.values())
        # Shares of a third or a sixth do not add up exactly in binary.
        if total > self.grace + 1e-6:
            terms = " + ".join(f"{name} {seconds:g}" for name, seconds in phases.items())
            raise BudgetError(
                f"{terms} = {total:g} s, more than the grace period of {self.grace:g} s"
            )
