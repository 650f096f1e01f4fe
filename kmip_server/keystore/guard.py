"""The keystore in service: opened sealing keys, and how long they may serve.

Strategy: one thread talks to the holder, again and again, and after each success extends the time for which
the opened keys serve. Nobody else waits for the module: a request looks at the clock, and finds the keys or
does not. So a module that fails, and one that never answers, look alike: when the time is up a second thread,
which never calls the module, drops the keys, and they come back with the first success after.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from kmip_server.engine.ports import SealedMaterial
from kmip_server.errors import KeyStoreUnavailable, KmipError, SealBroken, SettingsError
from kmip_server.keystore.holder import Holder
from kmip_server.keystore.mixing import STOCK_BYTES, MixedRandom
from kmip_server.keystore.sealing import KEY_BYTES, Sealer, SealingKeyRecord, overwrite
from kmip_server.protocol.enums import ObjectType

log = logging.getLogger(__name__)

START_SECONDS = 30.0
"""A holder that is not open by then keeps the server from starting."""
PROBE_SECONDS = 2.0
"""Between two probes of the holder."""
ANSWER_SECONDS = 5.0
"""A holder that takes longer for a probe is away."""
RETRY_SECONDS = 0.2
"""Between a failure and the next probe."""
ANEW_AFTER = 2
"""So many failures in a row, and the holder begins anew with its module; then again after as many."""
_AWAY = "the HSM is away; keys are served again when it is back"


def new_sealing_key(holder: Holder, version: int, now: int) -> SealingKeyRecord:
    """A new sealing key: random of the holder's and of the operating system's, encrypted by the holder.

    Raises KeyStoreUnavailable.
    """
    key = hashlib.sha256(holder.random(64) + os.urandom(64)).digest()
    scheme, encrypted = holder.encrypt(key)
    overwrite(key)
    return SealingKeyRecord(version=version, scheme=scheme, encrypted=encrypted, created=now)


class GuardedKeyStore:
    """Implements the engine's `KeyStore`. Thread safe.

    After a fork the child has nothing open, and calls `start` for itself.
    """

    def __init__(
        self,
        holder: Holder,
        records: Sequence[SealingKeyRecord],
        grace_seconds: float = 0,
        *,
        probe_seconds: float = PROBE_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        start_seconds: float = START_SECONDS,
    ) -> None:
        """`grace_seconds`: how long opened keys serve on after the holder is found to be away."""
        self._holder = holder
        self._records = tuple(sorted(records, key=lambda record: record.version))
        self._grace = grace_seconds
        self._probe_seconds = probe_seconds
        self._answer_seconds = answer_seconds
        self._start_seconds = start_seconds
        self._reset()
        _living.add(self)

    def _reset(self) -> None:
        """Nothing open, no thread, locks that nobody holds."""
        self._sealer: Sealer | None = None
        self._until = 0.0
        self._is_away = False
        self._failures = 0
        self._random = MixedRandom()
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._threads: tuple[threading.Thread, ...] = ()

    def start(self) -> None:
        """Open the holder and the sealing keys, in the process that serves. Raises SettingsError."""
        if not self._records:
            raise SettingsError("the database holds no sealing key; restore it from a backup")
        self._reset()
        opened: SimpleQueue[Exception | None] = SimpleQueue()
        self._threads = (
            threading.Thread(target=self._probing, args=(opened,), name="keystore", daemon=True),
            threading.Thread(target=self._watching, name="keystore watch", daemon=True),
        )
        for thread in self._threads:
            thread.start()
        try:
            problem = opened.get(timeout=self._start_seconds)
        except Empty:
            problem = SettingsError(
                f"the {self._holder.description} gave no answer for {self._start_seconds:.0f} s; see that it runs"
            )
        if problem is not None:
            self._end()
            if isinstance(problem, KmipError):
                raise SettingsError(problem.message) from problem
            raise problem

    def stop(self) -> None:
        """Drop the keys and end the threads; one that hangs in the module is left behind."""
        self._end()
        for thread in self._threads:
            thread.join(self._answer_seconds)

    def _end(self) -> None:
        self._stopping.set()
        self._wake.set()
        with self._changed:
            self._sealer = None
            self._changed.notify_all()

    @property
    def description(self) -> str:
        return self._holder.description

    def is_available(self) -> bool:
        return self._sealer is not None and time.monotonic() < self._until

    # --- for the engine -----------------------------------------------------------------------

    def seal(
        self, value: bytes, *, unique_identifier: str, object_type: ObjectType, generation: int
    ) -> SealedMaterial:
        return self._opened().seal(
            value, unique_identifier=unique_identifier, object_type=object_type, generation=generation
        )

    def open(self, sealed: SealedMaterial, *, unique_identifier: str, object_type: ObjectType) -> bytes:
        """The value. A seal that is broken is an alarm: somebody or something changed the database."""
        try:
            return self._opened().open(sealed, unique_identifier=unique_identifier, object_type=object_type)
        except SealBroken:
            log.critical(
                "object %s: its value does not open under sealing key %s: its row was edited, swapped or damaged",
                unique_identifier,
                sealed.sealing_key_version,
            )
            raise

    def random(self, length: int) -> bytes:
        """`length` bytes: the holder's random mixed with the operating system's. Raises KeyStoreUnavailable."""
        self._opened()
        if self._random.is_low:
            self._wake.set()
        return self._random.take(length)

    def seed(self, data: bytes) -> None:
        self._random.seed(data)

    def _opened(self) -> Sealer:
        sealer = self._sealer
        if sealer is None or time.monotonic() >= self._until:
            self._wake.set()
            raise KeyStoreUnavailable(_AWAY)
        return sealer

    # --- the thread that talks to the holder --------------------------------------------------

    def _probing(self, opened: SimpleQueue[Exception | None]) -> None:
        stopping = self._stopping
        try:
            self._holder.open()
            self._probe()
        except Exception as error:
            opened.put(error)
            return
        opened.put(None)
        while not stopping.is_set():
            self._wake.wait(self._probe_seconds)
            self._wake.clear()
            if not stopping.is_set():
                self._probe_or_report()
        self._holder.close()

    def _probe_or_report(self) -> None:
        try:
            self._probe()
        except KmipError as error:
            self._failed(error.message)
        except Exception:
            log.exception("the probe of the %s failed", self._holder.description)
            self._failed("unexpected error")

    def _probe(self) -> None:
        """Ask the holder for random, and to open a sealing key: all of them where none is open."""
        asked = time.monotonic()
        self._random.fill(self._holder.random(STOCK_BYTES))
        # No reference to the open keys is held while the holder is asked: it may never answer.
        is_open = self._sealer is not None
        keys = self._decrypted(self._records[-1:] if is_open else self._records)
        opened = None if is_open else Sealer(keys, self._records[-1].version)
        for key in keys.values():
            overwrite(key)
        with self._changed:
            if self._stopping.is_set():
                return
            self._sealer = opened or self._sealer
            if self._sealer is None:
                self._wake.set()  # Dropped meanwhile: open all of them, at once.
                return
            self._until = asked + self._probe_seconds + self._answer_seconds + self._grace
            was_away, self._is_away = self._is_away, False
            self._changed.notify_all()
        self._failures = 0
        if was_away:
            log.warning("the %s is back", self._holder.description)

    def _decrypted(self, records: Sequence[SealingKeyRecord]) -> dict[int, bytes]:
        keys = {record.version: self._holder.decrypt(record.scheme, record.encrypted) for record in records}
        if any(len(key) != KEY_BYTES for key in keys.values()):
            raise KeyStoreUnavailable("a sealing key has not the length it was made with")
        return keys

    def _failed(self, why: str) -> None:
        """The holder is away. The keys serve for the grace that is left."""
        with self._changed:
            self._until = min(self._until, time.monotonic() + self._grace)
            was_away, self._is_away = self._is_away, True
            self._changed.notify_all()
        if not was_away:
            log.error("the %s is away: %s", self._holder.description, why)
        self._failures += 1
        if self._failures % ANEW_AFTER == 0:
            with suppress(KmipError, SettingsError):  # the next probe says why
                self._holder.begin_anew()
        self._stopping.wait(RETRY_SECONDS)

    # --- the thread that never does -----------------------------------------------------------

    def _watching(self) -> None:
        """Drop the keys when their time is up, whatever the module does or does not."""
        stopping = self._stopping
        with self._changed:
            while not stopping.is_set():
                left = self._until - time.monotonic()
                if self._sealer is not None and left <= 0:
                    self._sealer = None
                    self._is_away = True
                    self._changed.notify_all()
                    log.error("the %s is away: its keys are dropped until it is back", self._holder.description)
                self._changed.wait(None if self._sealer is None else left)


_living: weakref.WeakSet[GuardedKeyStore] = weakref.WeakSet()


def _forget_after_fork() -> None:
    """In a child: threads are gone, locks may be held for ever, and the module is not initialised."""
    for keystore in _living:
        keystore._reset()


os.register_at_fork(after_in_child=_forget_after_fork)
