"""How numbers and kinds of files are written in addresses."""


class Hexadecimal:
    """A number of 32 bits as eight hexadecimal digits."""

    regex = "[0-9a-f]{8}"

    def to_python(self, value: str) -> int:
        return int(value, 16)

    def to_url(self, value: int) -> str:
        return f"{value:08x}"


class FileKind:
    """What kind of file a table is downloaded as."""

    regex = "csv|xlsx"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value
