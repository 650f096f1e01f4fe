"""A program on a terminal, driven as a person does: keys are typed, the screen is read.

Strategy: the program has a pseudo-terminal of its own as its controlling terminal. What it writes is applied to a
grid of characters: text, cursor positions, clearing; colours and everything else are passed over. Nothing waits by
the clock: `until` reads what comes until the screen shows what is wanted.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

ROWS, COLUMNS = 60, 260
_CONTROL = re.compile(
    r"\x1b\[(?P<sequence>[0-?]*[ -/]*)(?P<final>[@-~])"  # CSI
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC
    r"|\x1bP[^\x1b]*\x1b\\"  # DCS
    r"|\x1b[()#][0-9A-Za-z]"  # character sets
    r"|\x1b[=>78cDEHMZ]"
)


class Ended(Exception):
    """The program is over, or did not show what was waited for."""


class Screen:
    """What a terminal of ROWS by COLUMNS shows."""

    def __init__(self) -> None:
        self._cells = [[" "] * COLUMNS for _ in range(ROWS)]
        self._row = self._column = 0
        self._pending = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> None:
        text = self._pending + self._decoder.decode(data)
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                self._put(text[at])
                at += 1
            elif found := _CONTROL.match(text, at):
                if found["final"]:
                    self._control(found["sequence"], found["final"])
                at = found.end()
            elif len(text) - at > 4096:
                at += 1  # nothing that is known
            else:
                break  # the rest comes later
        self._pending = text[at:]

    def lines(self) -> list[str]:
        return ["".join(row).rstrip() for row in self._cells]

    def text(self) -> str:
        return "\n".join(self.lines())

    def _put(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._row = min(self._row + 1, ROWS - 1)
        elif character == "\b":
            self._column = max(self._column - 1, 0)
        elif character >= " ":
            if self._column < COLUMNS:
                self._cells[self._row][self._column] = character
            self._column += 1

    def _control(self, sequence: str, final: str) -> None:
        numbers = [int(each or 1) for each in sequence.split(";")] if re.fullmatch(r"[\d;]*", sequence) else []
        if final == "H":
            self._row = min([*numbers, 1][0], ROWS) - 1
            self._column = min([*numbers, 1, 1][1], COLUMNS) - 1
        elif final == "J" and sequence == "2":
            self._cells = [[" "] * COLUMNS for _ in range(ROWS)]
        elif final == "K":
            self._cells[self._row][self._column :] = [" "] * (COLUMNS - self._column)
        elif final == "C" and numbers:
            self._column += numbers[0]


class Terminal:
    """A program and its terminal; ends with it."""

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        self.screen = Screen()
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            ["setsid", "--ctty", *map(str, command)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **environment},
        )
        os.close(theirs)

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def until(self, shown: Callable[[str], bool], what: str, seconds: float = 20) -> str:
        """The screen's text, once it is as wanted. Raises Ended with the screen where it does not get so."""
        deadline = time.monotonic() + seconds
        while not shown(self.screen.text()):
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                seen = " / ".join(" ".join(line.split()) for line in self.screen.lines() if line.strip())
                raise Ended(f"{what} is not shown, but: {seen[:600]}")
        return self.screen.text()

    def shows(self, *texts: str) -> str:
        return self.until(lambda screen: all(each in screen for each in texts), " and ".join(map(repr, texts)))

    def end(self) -> int:
        """The exit code, once the program has been told to go."""
        while self._read(10):
            pass
        return self._process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._ours)

    def _read(self, seconds: float) -> bool:
        """Whether something came."""
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # so the kernel tells that the other end is closed
            return False
        self.screen.feed(data)
        return bool(data)
