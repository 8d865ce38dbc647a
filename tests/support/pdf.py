"""Read the text of a PDF written by fpdf2, by its streams and font maps."""

from __future__ import annotations

import re
import zlib


def words_of_pdf(file: bytes) -> tuple[str, int]:
    """Return the pages' text in the order it was written, and the number of pages."""
    objects = {int(number): body for number, body in re.findall(rb"(\d+) 0 obj\n(.*?)\nendobj", file, re.DOTALL)}
    maps = _maps(objects)
    pages = [body for body in objects.values() if re.search(rb"/Type /Page\b", body)]
    said = []
    for page in pages:
        contents = re.search(rb"/Contents (\d+) 0 R", page)
        assert contents is not None
        said.append(_words(_stream(objects[int(contents[1])]), maps))
    return " ".join(" ".join(said).split()), len(pages)


def _maps(objects: dict[int, bytes]) -> dict[bytes, dict[int, str]]:
    """Map each font's name on a page to its glyph numbers' letters."""
    names = {}
    for body in objects.values():
        for name, number in re.findall(rb"/(F\d+) (\d+) 0 R", body):
            names[name] = int(number)
    found = {}
    for name, number in names.items():
        unicode = re.search(rb"/ToUnicode (\d+) 0 R", objects[number])
        assert unicode is not None
        pairs = re.findall(rb"<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]+)>", _stream(objects[int(unicode[1])]))
        found[name] = {int(key, 16): bytes.fromhex(value.decode()).decode("utf-16-be") for key, value in pairs}
    return found


def _words(content: bytes, maps: dict[bytes, dict[int, str]]) -> str:
    letters: dict[int, str] = {}
    said = []
    for font, text in re.findall(rb"/(F\d+) [\d.]+ Tf|\(((?:[^\\)]|\\.)*)\) Tj", content, re.DOTALL):
        if font:
            letters = maps[font]
            continue
        raw = re.sub(rb"\\(.)", lambda match: {b"r": b"\r", b"n": b"\n"}.get(match[1], match[1]), text, flags=re.DOTALL)
        numbers = [int.from_bytes(raw[place : place + 2]) for place in range(0, len(raw), 2)]
        said.append("".join(letters.get(number, "") for number in numbers))
    return " ".join(said)


def _stream(body: bytes) -> bytes:
    found = re.search(rb"stream\n(.*)\nendstream", body, re.DOTALL)
    assert found is not None
    return zlib.decompress(found[1]) if b"/FlateDecode" in body else found[1]
