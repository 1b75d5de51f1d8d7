"""The probe, served by a worker that lingers for long: ``gunicorn tests.lingering:app``."""

from __future__ import annotations

from {{ cookiecutter.package_name }} import worker

from .probe import app

__all__ = ["app"]

worker.LINGER_SECONDS = 15
