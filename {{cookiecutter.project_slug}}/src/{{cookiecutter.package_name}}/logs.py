"""One log for the service and its server: JSON for machines, or colours for people."""

from __future__ import annotations

import logging.config
import sys
from typing import Any

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.types import EventDict, Processor, WrappedLogger


def _drop_color_message(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event.pop("color_message", None)  # uvicorn's copy of the message for terminals
    return event


_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.CallsiteParameterAdder([structlog.processors.CallsiteParameter.PROCESS]),
    _drop_color_message,
]
_SERVERS = ("gunicorn.error", "gunicorn.access", "uvicorn", "uvicorn.error", "uvicorn.access")


def config(level: str, *, json: bool) -> dict[str, Any]:
    """The configuration for :func:`logging.config.dictConfig` and gunicorn's ``logconfig_dict``."""
    render: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if json
        else [structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())]
    )
    formatter = {
        "()": ProcessorFormatter,
        "processors": [ProcessorFormatter.remove_processors_meta, *render],
        "foreign_pre_chain": _SHARED,
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"service": formatter},
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "formatter": "service",
                "stream": "ext://sys.stdout",
            }
        },
        "root": {"level": level.upper(), "handlers": ["stdout"]},
        # gunicorn has set levels of its own.
        "loggers": {
            name: {"level": "NOTSET", "handlers": [], "propagate": True} for name in _SERVERS
        },
    }


def configure(level: str, *, json: bool) -> None:
    """Set up structlog and the standard library's logging, for this process."""
    configure_structlog()
    logging.config.dictConfig(config(level, json=json))


def configure_structlog() -> None:
    """Let ``structlog.get_logger()`` write to the standard library's log."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def configure_if_nobody_has(level: str) -> None:
    """Set logging up under a server that leaves that to us, such as a bare uvicorn."""
    if not logging.getLogger().handlers:
        configure(level, json=not sys.stdout.isatty())
