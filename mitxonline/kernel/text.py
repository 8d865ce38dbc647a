"""Text that people type, normalized for comparing, and text for spreadsheets, escaped."""

import unicodedata

# White space, control and format characters (a paste brings zero-width spaces along), and dashes of every kind.
_DROPPED_FROM_CODES = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Pd"})
# Punctuation around a word. An underscore belongs to the word.
_MARKS = frozenset({"Po", "Ps", "Pe", "Pi", "Pf"})


def require_text(text: str) -> str:
    """Return the text without blanks around it. Raises ValueError if nothing is left.

    Forms and commands check this earlier, with their own message.
    """
    text = text.strip()
    if not text:
        raise ValueError("The text is empty")
    return text


def normalize_code(text: str) -> str:
    """Return a code as it is compared: in upper case, without blanks and dashes, with full-width letters made plain."""
    plain = unicodedata.normalize("NFKC", text).upper()
    return "".join(char for char in plain if unicodedata.category(char) not in _DROPPED_FROM_CODES)


def strip_punctuation(text: str) -> str:
    """Remove the punctuation, quotes and brackets around a text, which mail programs and sentences add to a link."""
    start, end = 0, len(text)
    while start < end and _is_mark(text[start]):
        start += 1
    while end > start and _is_mark(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_mark(char: str) -> bool:
    return char.isspace() or char in "<>`´" or unicodedata.category(char) in _MARKS


def normalize_email(text: str) -> str:
    """Return an e-mail address as it is stored and compared: trimmed, in NFKC and lower case."""
    return unicodedata.normalize("NFKC", text).strip().lower()


def escape_formula(cell: str) -> str:
    """Put an apostrophe before a cell that a spreadsheet would run as a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
