"""How this service starts and stops, independent of framework and server.

Read in this order: ``budget`` (how long), ``hooks`` (what is started and stopped), ``supervisor``
(the sequence). ``signals``, ``inflight``, ``report`` and ``moment`` are its parts, ``background``
is the base class for threads of your own.
"""

from .background import BackgroundThread
from .budget import Budget, BudgetError
from .hooks import Hook, HookRecord, Resource, StartError, seconds_left
from .inflight import AsgiInFlight, InFlight, WsgiInFlight
from .moment import Moment
from .report import Report
from .supervisor import Lifecycle, State

__all__ = [
    "AsgiInFlight",
    "BackgroundThread",
    "Budget",
    "BudgetError",
    "Hook",
    "HookRecord",
    "InFlight",
    "Lifecycle",
    "Moment",
    "Report",
    "Resource",
    "StartError",
    "State",
    "WsgiInFlight",
    "seconds_left",
]
