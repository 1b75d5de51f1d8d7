"""The example of what uses the database."""

from __future__ import annotations

import uuid

import httpx
import pytest


def test_a_note_is_kept(client: httpx.Client) -> None:
    created = client.post("/notes", json={"text": "Größe 🚀"})
    assert created.status_code == 201
    assert created.json()["text"] == "Größe 🚀"
    found = client.get(created.headers["Location"])
    assert (found.status_code, found.json()) == (200, created.json())


@pytest.mark.parametrize("text", ["", "x" * 1001, "with\0NUL", 1, None])
def test_what_cannot_be_kept_is_refused(text: object, client: httpx.Client) -> None:
    assert client.post("/notes", json={"text": text}).status_code == 422


def test_a_body_that_is_not_json_is_refused(client: httpx.Client) -> None:
    for body in (b'{"text": "\\ud800"}', b"text"):
        response = client.post("/notes", content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == 422
        assert response.json()["detail"]


def test_an_unknown_note_is_not_found(client: httpx.Client) -> None:
    assert client.get(f"/notes/{uuid.uuid4()}").status_code == 404
