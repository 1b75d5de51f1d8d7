"""``POST /shutdown``, for those who hold the token."""

from __future__ import annotations

import hmac
from functools import partial

from flask import Blueprint, Response, jsonify, request
from pydantic import SecretStr

from . import get_lifecycle


def create_blueprint(token: SecretStr) -> Blueprint:
    """Make the blueprint, for one token."""
    blueprint = Blueprint("shutdown", __name__)
    expected = token.get_secret_value().encode()

    def authorized() -> bool:
        credentials = request.authorization
        if credentials is None or credentials.type != "bearer":
            return False
        return hmac.compare_digest((credentials.token or "").encode(), expected)

    @blueprint.post("/shutdown")
    def shutdown() -> Response:
        """Stop the whole server, all workers included, as SIGTERM does."""
        if not authorized():
            response = jsonify(detail="a valid token is needed")
            response.status_code = 401
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        lifecycle = get_lifecycle()
        response = jsonify(status="stopping", deadline_seconds=lifecycle.budget.deadline)
        response.status_code = 202
        # When the server closes the response, the client has been sent all of it.
        response.call_on_close(partial(lifecycle.request_stop, request.remote_addr or "unknown"))
        return response

    return blueprint
