"""Reader of a MySQL result's rows from the wire, without decoding their values.

PyMySQL makes two calls for a packet and six for a value, which is most of an
export's time; this reader slices values out of the received bytes. It handles rows
alone: PyMySQL handles the end of the rows and errors among them.
"""

from typing import Any

from pymysql.constants import CR
from pymysql.err import OperationalError
from pymysql.protocol import MysqlPacket

Row = list[bytes | None]

_HEAD = 4
_LONGEST_PACKET = 0xFFFFFF  # a longer row continues in the next packet
_CHUNK_BYTES = 64 * 1024

# First bytes of values (MySQL manual, "Protocol::LengthEncodedInteger"), and of other packets.
_NULL, _WIDTHS = 0xFB, {0xFC: 2, 0xFD: 3, 0xFE: 8}
_END, _ERROR = 0xFE, 0xFF


class RowReader:
    """Reads rows after PyMySQL has read the names of the columns."""

    def __init__(self, result: Any) -> None:
        self._result = result
        self._data, self._at = b"", 0

    def read(self, most_rows: int, most_bytes: int) -> list[Row]:
        """The next rows; empty at the end. Raises: pymysql.MySQLError, OSError."""
        rows: list[Row] = []
        size = 0
        while self._result.unbuffered_active and len(rows) < most_rows and size < most_bytes:
            taken = self._take(rows, most_rows)
            size += taken or self._take_one(rows)
        return rows

    def _take(self, rows: list[Row], most_rows: int) -> int:
        """Append the complete ordinary rows among the received bytes; return their size."""
        data, at, have = self._data, self._at, len(self._data)
        while len(rows) < most_rows and at + _HEAD < have:
            end = at + _HEAD + (data[at] | data[at + 1] << 8 | data[at + 2] << 16)
            if end > have or data[at + _HEAD] >= _END or end - at > _LONGEST_PACKET:
                break
            rows.append(_values(data, at + _HEAD, end))
            at = end
        size, self._at = at - self._at, at
        return size

    def _take_one(self, rows: list[Row]) -> int:
        """Wait for the next packet, a row or the end of rows; return its size."""
        end = self._packet()
        size = end - self._at
        if not self._ends_here(end):
            rows.append(_values(self._data, self._at, end))
        self._at = end
        return size

    def _packet(self) -> int:
        """Receive the next packet whole; return the position of its end, `_at` being its start."""
        length = self._length()
        self._at += _HEAD
        if length == _LONGEST_PACKET:
            length = self._joined(length)
        return self._at + length

    def _length(self) -> int:
        data, at = self._data, self._at
        if len(data) < at + _HEAD:
            self._fill(_HEAD)
            data, at = self._data, self._at
        length = data[at] | data[at + 1] << 8 | data[at + 2] << 16
        if len(data) < at + _HEAD + length:
            self._fill(_HEAD + length)
        return length

    def _joined(self, length: int) -> int:
        """Join a row in several packets into one, without their heads; return its length."""
        whole = bytearray()
        while True:
            whole += self._data[self._at : self._at + length]
            self._at += length
            if length < _LONGEST_PACKET:
                break
            length = self._length()
            self._at += _HEAD
        self._data, self._at = bytes(whole) + self._data[self._at :], 0
        return len(whole)

    def _ends_here(self, end: int) -> bool:
        first = self._data[self._at]
        if first < _END or (first == _END and end - self._at >= _LONGEST_PACKET):
            return False
        packet = MysqlPacket(self._data[self._at : end], "utf8")
        if first == _ERROR:
            self._result.unbuffered_active = False
            packet.raise_for_error()
        if not self._result._check_packet_is_eof(packet):
            return False
        self._result.unbuffered_active, self._result.connection = False, None
        return True

    def _fill(self, count: int) -> None:
        """Receive until `count` bytes follow `_at`, which becomes 0."""
        chunks = [self._data[self._at :]]
        missing = count - len(chunks[0])
        while missing > 0:
            chunk = self._result.connection._rfile.read1(max(missing, _CHUNK_BYTES))
            if not chunk:
                raise OperationalError(CR.CR_SERVER_LOST, "Lost connection in the middle of rows")
            chunks.append(chunk)
            missing -= len(chunk)
        self._data, self._at = b"".join(chunks), 0


def _values(data: bytes, at: int, end: int) -> Row:
    values: Row = []
    while at < end:
        size = data[at]
        at += 1
        if size < _NULL:
            values.append(data[at : at + size])
            at += size
        elif size == _NULL:
            values.append(None)
        else:
            width = _WIDTHS[size]
            size = int.from_bytes(data[at : at + width], "little")
            at += width
            values.append(data[at : at + size])
            at += size
    return values
