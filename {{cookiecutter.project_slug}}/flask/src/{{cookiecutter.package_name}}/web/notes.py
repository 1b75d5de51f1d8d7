"""``POST /notes`` and ``GET /notes/{id}``: the example of what uses the database."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, request
from pydantic import BaseModel, Field, ValidationError

from ..database.models import LONGEST_NOTE, Note
from .database import get_session

blueprint = Blueprint("notes", __name__, url_prefix="/notes")

Answer = tuple[dict[str, Any], int] | tuple[dict[str, Any], int, dict[str, str]]


class NewNote(BaseModel):
    """What a client sends. PostgreSQL stores no NUL."""

    text: str = Field(min_length=1, max_length=LONGEST_NOTE, pattern=r"^[^\x00]*$")


@blueprint.post("")
def create() -> Answer:
    """Keep a note."""
    try:
        new = NewNote.model_validate_json(request.get_data())
    except ValidationError as error:
        detail = error.errors(include_url=False, include_context=False, include_input=False)
        return {"detail": detail}, 422
    note = Note(text=new.text)
    session = get_session()
    session.add(note)
    session.flush()  # gives it its id
    return as_json(note), 201, {"Location": f"/notes/{note.id}"}


@blueprint.get("/<uuid:note_id>")
def read(note_id: uuid.UUID) -> Answer:
    """Give a note back."""
    note = get_session().get(Note, note_id)
    return ({"detail": "no such note"}, 404) if note is None else (as_json(note), 200)


def as_json(note: Note) -> dict[str, Any]:
    """What clients see of *note*."""
    return {"id": note.id, "text": note.text}
