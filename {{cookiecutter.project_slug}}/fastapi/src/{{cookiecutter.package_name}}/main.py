"""The application as an object, for ``fastapi dev``, which takes no factory."""

from .app import create_app

app = create_app()
