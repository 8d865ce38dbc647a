"""Values behind their labels, as forms and mails have them: “Name: Jane Doe, E-mail: jane@x.example”."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mitxonline.kernel.people.headings import is_email_heading, is_name_heading

_COLON = re.compile(r"\s*[:：]\s*")
_SCHEME = re.compile(r"\b(mailto|smtp)\s*:\s*", re.IGNORECASE)
_MAX_WORDS = 4  # of a label: “Correo electrónico del trabajo”

Labels = list[tuple[str, str]]


def split_labels(line: str) -> Labels:
    """Return labels with their values, or nothing where the line isn't one of labels with an address among them."""
    parts = _COLON.split(_SCHEME.sub("", line))
    separator = next((each for each in "\t|;," if each in line), ",")
    label, found = parts[0].strip(separator + " "), []
    if not _is_label(label):
        return []
    for part in parts[1:-1]:
        value, following = _cut_label(part, separator)
        if not following:
            return []
        found.append((label, value))
        label = following
    found.append((label, parts[-1].strip(separator + " ") if len(parts) > 1 else ""))
    is_known = any(is_email_heading(label) for label, value in found if "@" in value)
    return found if is_known else []


def split_records(labels: Labels) -> Iterator[Labels]:
    """Begin a record where a label comes again."""
    record: Labels = []
    for label, value in labels:
        if any(label.casefold() == other.casefold() for other, _value in record):
            yield record
            record = []
        record.append((label, value))
    yield record


def join_labeled_lines(lines: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    """Put each block of lines that are a label and its value into one line, with tabs between them."""
    joined: list[tuple[int, str]] = []
    block: list[tuple[int, str]] = []
    for number, line in lines:
        label = _label_of_line(line)
        if not label or any(label == _label_of_line(other) for _number, other in block):
            joined += _close_block(block)
            block = []
        if label:
            block.append((number, line))
        else:
            joined.append((number, line))
    return joined + _close_block(block)


def _close_block(block: list[tuple[int, str]]) -> list[tuple[int, str]]:
    labels = [_label_of_line(line) for _number, line in block]
    if not (any(map(is_email_heading, labels)) and any(map(is_name_heading, labels))):
        return block
    return [(block[0][0], "\t".join(line.strip() for _number, line in block))]


def _label_of_line(line: str) -> str:
    """Return the label of a line that is one label with one value."""
    parts = _COLON.split(_SCHEME.sub("", line.strip()))
    return parts[0].casefold() if len(parts) == 2 and parts[1] and _is_label(parts[0]) else ""


def _cut_label(part: str, separator: str) -> tuple[str, str]:
    """Cut the next label off the end of a value."""
    value, found, label = part.rpartition(separator)
    if found and _is_label(label):
        return value.strip(separator + " "), label.strip()
    words = part.split()
    for count in range(min(_MAX_WORDS, len(words)), 0, -1):
        label = " ".join(words[-count:])
        if is_email_heading(label) or is_name_heading(label):
            return " ".join(words[:-count]), label
    return "", ""


def _is_label(text: str) -> bool:
    return "@" not in text and "<" not in text and 0 < len(text.split()) <= _MAX_WORDS
