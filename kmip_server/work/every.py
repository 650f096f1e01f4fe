"""Something that is done every so often, on a thread of its own, whatever becomes of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from kmip_server.errors import KmipError

log = logging.getLogger(__name__)


class Every:
    """Calls `act` until it is stopped. A fault is told in the log, the same one once, and the next call comes."""

    def __init__(self, seconds: float, name: str, act: Callable[[], None]) -> None:
        self._seconds = seconds
        self._name = name
        self._act = act
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._fault = ""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """No further call; waits for the one under way. Not for the reactor's thread."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                self._act()
            except Exception as error:
                self._tell(error)
            else:
                self._fault = ""

    def _tell(self, error: Exception) -> None:
        if (fault := f"{type(error).__name__}: {error}") != self._fault:
            self._fault = fault
            expected = isinstance(error, KmipError)
            log.error("%s: %s; it is tried again", self._name, error, exc_info=None if expected else error)
