"""The service's HTTP side, on Flask."""

from typing import cast

from flask import current_app

from ..lifecycle import Lifecycle


def get_lifecycle() -> Lifecycle:
    """The current application's lifecycle, for handlers."""
    return cast(Lifecycle, current_app.extensions["lifecycle"])
