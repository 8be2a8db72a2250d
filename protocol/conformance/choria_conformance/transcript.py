"""Every byte of a case, by link, for the person who must find out why it failed."""

from __future__ import annotations

from dataclasses import dataclass, field

from .cbor import DecodeError, decode, diagnostic, read_head

_SHOWN_BYTES = 512


@dataclass
class Transcript:
    """What was sent and received, in order."""

    entries: list[tuple[str, str, bytes]] = field(default_factory=list)

    def sent(self, link: str, data: bytes) -> None:
        """``data`` went from the suite to the implementation under test."""
        self.entries.append((link, "sent", data))

    def received(self, link: str, data: bytes) -> None:
        """``data`` came from the implementation under test."""
        self.entries.append((link, "received", data))

    def note(self, link: str, text: str) -> None:
        """Something that is no bytes: a close, an alert."""
        self.entries.append((link, text, b""))

    def lines(self) -> list[str]:
        """The transcript in hexadecimal, frames also in diagnostic notation."""
        found = []
        for link, what, data in self.entries:
            found.append(f"{link} {what} {_hex(data)}".rstrip())
            found += [f"    {line}" for line in _frames(data)]
        return found


def _hex(data: bytes) -> str:
    shown = data[:_SHOWN_BYTES].hex()
    return shown + (f"... ({len(data)} bytes)" if len(data) > _SHOWN_BYTES else "")


def _frames(data: bytes) -> list[str]:
    found: list[str] = []
    at = 0
    try:
        while (head := read_head(data, at)) is not None and head[0] == 2 and len(found) < 8:
            _, _, length, start = head
            if start + length > len(data):
                break
            found.append(f"<<{diagnostic(decode(data[start : start + length]))}>>"[:2000])
            at = start + length
    except (DecodeError, RecursionError):
        found.append("(no frame that section 5 permits)")
    return found
