"""A database session for each request."""

from __future__ import annotations

import logging
from typing import Any, cast

from flask import Flask, Response, current_app, g, jsonify
from sqlalchemy.exc import OperationalError, TimeoutError
from sqlalchemy.orm import Session

from ..database.engine import Database

logger = logging.getLogger(__name__)


def use_database(app: Flask, database: Database) -> None:
    """Have *app*'s requests, and its readiness, use *database*."""
    app.extensions["database"] = database
    app.extensions["checks"]["database"] = database.check
    app.register_error_handler(OperationalError, _unavailable)
    app.register_error_handler(TimeoutError, _unavailable)
    app.after_request(_commit)
    app.teardown_appcontext(_close)


def get_session() -> Session:
    """The request's session.

    What was done with it is committed before the response is sent, unless that is an error
    (4xx, 5xx): then it is rolled back.
    """
    if "session" not in g:
        database: Database = current_app.extensions["database"]
        g.session = database.sessions()
    return cast(Session, g.session)


def _commit(response: Response) -> Response:
    if "session" in g and response.status_code < 400:
        try:
            g.session.commit()
        except OperationalError as error:
            return _unavailable(error)
    return response


def _close(_: BaseException | None) -> None:
    if session := g.pop("session", None):
        session.close()  # and roll back what is not committed


def _unavailable(error: Any) -> Response:
    """The database is down, busy, or has cut us off; a later try may succeed."""
    logger.warning("database error", extra={"problem": str(getattr(error, "orig", error))})
    lost = getattr(error, "connection_invalidated", False)
    outcome = "look whether the change was made" if lost else "nothing was changed"
    response = jsonify(detail=f"the database does not answer: {outcome}")
    response.status_code = 503
    response.headers["Retry-After"] = "1"
    return response
