"""Uploaded files, served by the web process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

PICTURE = "images/tiles.width-480.png"


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path)
    for name in (PICTURE, "documents/salaries.pdf"):
        file = tmp_path / name
        file.parent.mkdir(parents=True)
        file.write_bytes(b"content")
    return tmp_path


def test_a_picture_may_be_kept(client: Client) -> None:
    response = client.get(f"/media/{PICTURE}")

    assert response.getvalue() == b"content"
    response.close()
    assert response["Cache-Control"] == "public, max-age=604800"
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "documents/salaries.pdf",
        "./documents/salaries.pdf",
        "/documents/salaries.pdf",
        "images/../documents/salaries.pdf",
        "images/%2e%2e/documents/salaries.pdf",
    ],
)
@pytest.mark.django_db
def test_a_document_has_to_be_asked_for_where_rights_are_looked_at(client: Client, path: str) -> None:
    assert client.get(f"/media/{path}").status_code == 404


@pytest.mark.django_db
def test_missing_files_are_not_cached(client: Client) -> None:
    response = client.get("/media/images/nothing.png")

    assert response.status_code == 404
    assert "max-age" not in response.get("Cache-Control", "")
