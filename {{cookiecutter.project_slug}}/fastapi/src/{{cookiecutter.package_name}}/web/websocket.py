"""An example WebSocket. At a stop, this and every other one is told and closed by itself."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

router = APIRouter()


@router.websocket("/ws")
async def echo(websocket: WebSocket) -> None:
    """Send every text message back."""
    await websocket.accept()
    try:
        async for text in websocket.iter_text():
            await websocket.send_text(text)
    except WebSocketDisconnect:  # closed while we were sending
        return
