"""The shutdown drill: stop this service under load, and see that nothing is lost.

``uv run python -m drill`` from the project's folder; ``--help`` tells the rest.
"""
