"""The service's HTTP side, on FastAPI."""
