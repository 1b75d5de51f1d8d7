"""A database session for each request."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError, TimeoutError
from sqlalchemy.ext.asyncio import AsyncSession

from ..database.engine import Database

logger = logging.getLogger(__name__)


def use_database(app: FastAPI, database: Database) -> None:
    """Have *app*'s requests, and its readiness, use *database*."""
    app.state.database = database
    app.state.checks["database"] = database.check
    app.add_exception_handler(OperationalError, _unavailable)
    app.add_exception_handler(TimeoutError, _unavailable)


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """The request's session, for handlers: take it as a ``SessionDep`` parameter.

    What was done with it is committed before the response is sent, unless the handler raises:
    then it is rolled back.
    """
    database: Database = request.app.state.database
    async with database.sessions() as session:
        yield session
        await session.commit()


# The scope is what makes the commit come first: others end after the response.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    """The database is down, busy, or has cut us off; a later try may succeed."""
    logger.warning("database error", extra={"problem": str(getattr(error, "orig", error))})
    lost = getattr(error, "connection_invalidated", False)
    outcome = "look whether the change was made" if lost else "nothing was changed"
    return JSONResponse(
        {"detail": f"the database does not answer: {outcome}"}, 503, {"Retry-After": "1"}
    )
