"""``POST /notes`` and ``GET /notes/{id}``: the example of what uses the database."""

from __future__ import annotations

import uuid

from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field

from ..database.models import LONGEST_NOTE, Note
from .database import SessionDep

router = APIRouter(prefix="/notes", tags=["notes"])


class NewNote(BaseModel):
    """What a client sends. PostgreSQL stores no NUL."""

    text: str = Field(min_length=1, max_length=LONGEST_NOTE, pattern=r"^[^\x00]*$")


class StoredNote(BaseModel):
    """What clients see of a note."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    text: str


@router.post("", status_code=201)
async def create(new: NewNote, session: SessionDep, response: Response) -> StoredNote:
    """Keep a note."""
    note = Note(text=new.text)
    session.add(note)
    await session.flush()  # gives it its id
    response.headers["Location"] = f"/notes/{note.id}"
    return StoredNote.model_validate(note)


@router.get("/{note_id}")
async def read(note_id: uuid.UUID, session: SessionDep) -> StoredNote:
    """Give a note back."""
    note = await session.get(Note, note_id)
    if note is None:
        raise HTTPException(404, "no such note")
    return StoredNote.model_validate(note)
