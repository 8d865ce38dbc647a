"""URL path converters."""


class Hexadecimal:
    """A 32-bit number as eight hexadecimal digits."""

    regex = "[0-9a-f]{8}"

    def to_python(self, value: str) -> int:
        return int(value, 16)

    def to_url(self, value: int) -> str:
        return f"{value:08x}"


class FileKind:
    regex = "csv|xlsx"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value
