"""The keystore in service: opened sealing keys, how long they may serve, and random.

Strategy: one thread talks to the holder, again and again, and after each success extends the time for which
the opened keys serve. Nobody else waits for the module: a request looks at the clock, and finds the keys or
does not. So a module that fails, and one that never answers, look alike: when the time is up the keys are
dropped, and they come back with the first success after. The same thread keeps a stock of the holder's
random.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Sequence

from kmip_server.engine.ports import SealedMaterial
from kmip_server.errors import KeyStoreUnavailable, KmipError, SettingsError
from kmip_server.keystore.holder import Holder
from kmip_server.keystore.sealing import KEY_BYTES, Sealer, SealingKeyRecord
from kmip_server.protocol.enums import ObjectType

log = logging.getLogger(__name__)

PROBE_SECONDS = 2.0
"""Between two probes of the holder."""
ANSWER_SECONDS = 5.0
"""A holder that takes longer for a probe is away."""
_SEED_BYTES = 32
_STOCK = 4096
"""Bytes of the holder's random kept ready; each request takes 32."""
_AWAY = "the HSM is away; keys are served again when it is back"


def new_sealing_key(holder: Holder, version: int, now: int) -> SealingKeyRecord:
    """A new sealing key: random of the holder's and of the operating system's, encrypted by the holder."""
    key = hashlib.sha256(holder.random(64) + os.urandom(64)).digest()
    scheme, encrypted = holder.encrypt(key)
    return SealingKeyRecord(version=version, scheme=scheme, encrypted=encrypted, created=now)


class GuardedKeyStore:
    """Implements the engine's `KeyStore`. Thread safe."""

    def __init__(self, holder: Holder, records: Sequence[SealingKeyRecord], grace_seconds: float = 0) -> None:
        """`grace_seconds`: how long opened keys serve on after the holder is found to be away."""
        self._holder = holder
        self._records = tuple(records)
        self._grace = grace_seconds
        self._sealer: Sealer | None = None
        self._until = 0.0
        self._stock = bytearray()
        self._state = os.urandom(64)
        self._lock = threading.Condition()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keystore", daemon=True)

    def start(self) -> None:
        """Open the holder and the sealing keys, in the process that serves. Raises SettingsError."""
        if not self._records:
            raise SettingsError("the database holds no sealing key; restore it from a backup")
        try:
            self._holder.open()
            self._probe()
        except KmipError as error:
            raise SettingsError(error.message) from error
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(ANSWER_SECONDS)
        self._sealer = None

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
        return self._opened().open(sealed, unique_identifier=unique_identifier, object_type=object_type)

    def random(self, length: int) -> bytes:
        """`length` bytes, of which each depends on fresh random of the holder and of the operating system.

        The output is the operating system's random, exclusive-or SHAKE256 of a state into which fresh random of the
        holder was hashed: no worse than the better of the two. Raises KeyStoreUnavailable.
        """
        self._opened()
        fresh = self._from_stock()
        with self._lock:
            self._state = hashlib.sha512(self._state + fresh).digest()
            stream = hashlib.shake_256(b"output" + self._state).digest(length)
        mixed = int.from_bytes(os.urandom(length), "big") ^ int.from_bytes(stream, "big")
        return mixed.to_bytes(length, "big")

    def seed(self, data: bytes) -> None:
        with self._lock:
            self._state = hashlib.sha512(b"seed" + self._state + data).digest()

    def _opened(self) -> Sealer:
        sealer = self._sealer
        if sealer is None or time.monotonic() >= self._until:
            self._sealer = None
            self._wake.set()
            raise KeyStoreUnavailable(_AWAY)
        return sealer

    def _from_stock(self) -> bytes:
        """32 fresh bytes of the holder's random; waits a moment where the stock is used up."""
        with self._lock:
            if len(self._stock) < _STOCK // 2:
                self._wake.set()
            if len(self._stock) < _SEED_BYTES and not self._lock.wait_for(
                lambda: len(self._stock) >= _SEED_BYTES, timeout=PROBE_SECONDS
            ):
                raise KeyStoreUnavailable("the HSM gives no random")
            fresh = bytes(self._stock[-_SEED_BYTES:])
            del self._stock[-_SEED_BYTES:]
        return fresh

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            self._wake.wait(PROBE_SECONDS)
            self._wake.clear()
            if self._stop.is_set():
                self._holder.close()
                return
            try:
                was_away = self._sealer is None
                self._probe()
                if was_away:
                    log.warning("the %s is back", self._holder.description)
            except KmipError as error:
                self._away(error.message)
            except Exception:
                log.exception("the probe of the HSM failed")
                self._away("the probe failed")

    def _probe(self) -> None:
        """Ask the holder for random and for the sealing keys; extend the time they serve."""
        asked = time.monotonic()
        fresh = self._holder.random(_STOCK)
        _require_random(fresh)
        keys = {r.version: self._holder.decrypt(r.scheme, r.encrypted) for r in self._records}
        if any(len(key) != KEY_BYTES for key in keys.values()):
            raise KeyStoreUnavailable("a sealing key has not the length it was made with")
        if self._sealer is None:
            self._sealer = Sealer(keys, max(keys))
        with self._lock:
            self._stock[:] = fresh
            self._lock.notify_all()
        self._until = asked + PROBE_SECONDS + ANSWER_SECONDS + self._grace

    def _away(self, why: str) -> None:
        if self._sealer is not None:
            log.error("the %s is away: %s", self._holder.description, why)
        limit = time.monotonic() + self._grace
        self._until = min(self._until, limit)
        if time.monotonic() >= self._until:
            self._sealer = None
            with self._lock:
                self._stock.clear()
        self._stop.wait(0.2)


def _require_random(data: bytes) -> None:
    """A health test: a source that repeats itself is broken (after NIST SP 800-90B section 4.4)."""
    blocks = [data[at : at + 16] for at in range(0, len(data), 16)]
    if len(set(blocks)) != len(blocks):
        raise KeyStoreUnavailable("the random generator of the HSM repeats itself")
