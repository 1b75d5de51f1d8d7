"""The development server as ``python -m`` starts it, with the probe as its app."""

from __future__ import annotations

import runpy

import {{ cookiecutter.package_name }} as package
from {{ cookiecutter.package_name }} import app as composition_root
from {{ cookiecutter.package_name }}.settings import Settings

from .probe import app
from .server_thread import App


def create_app(settings: Settings | None = None) -> App:
    """Stand in for the real one."""
    return app


if __name__ == "__main__":
    composition_root.create_app = create_app
    runpy.run_module(package.__name__, run_name="__main__", alter_sys=True)
