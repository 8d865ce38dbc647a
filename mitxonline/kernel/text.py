"""Text that people type, brought to the one form it is compared in."""

import unicodedata

# White space and control or format characters (zero-width spaces come along with a paste), and every dash
# there is.
_DROPPED_FROM_CODES = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Pd"})


def normalized_code(text: str) -> str:
    """A code as it is compared: upper case, without blanks and dashes, full-width letters made plain."""
    plain = unicodedata.normalize("NFKC", text).upper()
    return "".join(char for char in plain if unicodedata.category(char) not in _DROPPED_FROM_CODES)


def normalized_email(text: str) -> str:
    """An address as it is stored and compared: trimmed, composed, lower case throughout."""
    return unicodedata.normalize("NFKC", text).strip().lower()


def spreadsheet_safe(cell: str) -> str:
    """A cell that a spreadsheet shows and does not run: one that would start a formula gets an apostrophe."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
