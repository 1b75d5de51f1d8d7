"""``POST /shutdown``, for those who hold the token."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from .lifespan import LifecycleDep

bearer = HTTPBearer(auto_error=False)


def create_router(token: SecretStr) -> APIRouter:
    """Make the router, for one token."""
    router = APIRouter(tags=["shutdown"])
    expected = token.get_secret_value().encode()

    def authorize(
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> None:
        given = b"" if credentials is None else credentials.credentials.encode()
        if not hmac.compare_digest(given, expected):
            raise HTTPException(401, "a valid token is needed", {"WWW-Authenticate": "Bearer"})

    @router.post("/shutdown", status_code=202, dependencies=[Depends(authorize)])
    async def shutdown(
        request: Request, lifecycle: LifecycleDep, after_response: BackgroundTasks
    ) -> dict[str, str | float]:
        """Stop the whole server, all workers included, as SIGTERM does."""
        caller = request.client.host if request.client else "unknown"
        after_response.add_task(lifecycle.request_stop, caller)
        return {"status": "stopping", "deadline_seconds": lifecycle.budget.deadline}

    return router
