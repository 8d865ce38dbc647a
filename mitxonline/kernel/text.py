"""Text that people type, brought to the one form it is compared in."""

import unicodedata

# White space and control or format characters (zero-width spaces come along with a paste), and every dash
# there is.
_DROPPED_FROM_CODES = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Pd"})
# Punctuation that surrounds a word; an underscore belongs to it.
_MARKS = frozenset({"Po", "Ps", "Pe", "Pi", "Pf"})


def require_text(text: str) -> str:
    """The text without blanks around it. ValueError if nothing is left: forms and commands ask for it themselves."""
    text = text.strip()
    if not text:
        raise ValueError("The text is empty")
    return text


def normalize_code(text: str) -> str:
    """A code as it is compared: upper case, without blanks and dashes, full-width letters made plain."""
    plain = unicodedata.normalize("NFKC", text).upper()
    return "".join(char for char in plain if unicodedata.category(char) not in _DROPPED_FROM_CODES)


def strip_punctuation(text: str) -> str:
    """Text without the punctuation, quotes and brackets around it, as mail programs and sentences add to a link."""
    start, end = 0, len(text)
    while start < end and _is_mark(text[start]):
        start += 1
    while end > start and _is_mark(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_mark(char: str) -> bool:
    return char.isspace() or char in "<>`´" or unicodedata.category(char) in _MARKS


def normalize_email(text: str) -> str:
    """An address as it is stored and compared: trimmed, composed, lower case throughout."""
    return unicodedata.normalize("NFKC", text).strip().lower()


def escape_formula(cell: str) -> str:
    """A cell that a spreadsheet shows and does not run: one that would start a formula gets an apostrophe."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
