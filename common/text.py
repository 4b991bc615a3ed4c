"""Text of a UTF-8 file, or one line about the byte at fault."""

from crossbook.common.errors import ConfigError

_BYTE_ORDER_MARK = "\ufeff"


def utf8_text(data: bytes, where: str) -> str:
    """The text of a file that is called `where`, without a byte order mark.

    Raises `ConfigError` naming line and byte where the file is not UTF-8.

    >>> utf8_text(b"A=1", ".env")
    'A=1'
    """
    try:
        return data.decode().removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise ConfigError(
            f"{where}: line {line}, byte {column}: 0x{data[error.start]:02x} is not UTF-8; save "
            "the file as UTF-8"
        ) from None
