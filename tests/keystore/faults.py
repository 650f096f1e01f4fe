"""A PKCS#11 module that fails, hangs, or is watched: SoftHSM, with an entry of its function list replaced.

SoftHSM's function list can be written, so no second module is needed. Arguments of all functions used here are
integers or pointers, at most six, so one signature forwards them all.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

from kmip_server.keystore import module, softhsm

GENERAL_ERROR = 0x05
DEVICE_ERROR = 0x30
_SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_ulong, *[ctypes.c_void_p] * 6)


def library() -> str:
    found = softhsm.find_library()
    assert found is not None, "SoftHSM is not installed; run make setup"
    return str(found)


class Replaced:
    """One function of SoftHSM, replaced inside `with`. `calls` counts how often it was asked."""

    def __init__(self, name: str, answer: Callable[[Replaced, tuple[Any, ...]], int]) -> None:
        """`answer` gets this object and the arguments; `original` is what they would have gone to."""
        self._functions = module.function_list(library()).functions
        self._index = module.FUNCTIONS[name]
        self._kept = self._functions[self._index]
        self._answer = answer
        self._callback = _SIGNATURE(self._called)
        self.original: Callable[..., int] = _SIGNATURE(self._kept)
        self.asked = threading.Event()
        self.calls = 0

    def _called(self, *arguments: Any) -> int:
        self.calls += 1
        self.asked.set()
        return self._answer(self, arguments)

    def __enter__(self) -> Replaced:
        self._functions[self._index] = ctypes.cast(self._callback, ctypes.c_void_p).value
        return self

    def __exit__(self, *_: object) -> None:
        self._functions[self._index] = self._kept


def failing(name: str, result: int = DEVICE_ERROR) -> Replaced:
    return Replaced(name, lambda _replaced, _arguments: result)


def watched(name: str) -> Replaced:
    """It works as ever, and is counted."""
    return Replaced(name, lambda replaced, arguments: replaced.original(*arguments))


class Hanging(Replaced):
    """It does not come back until the `with` is over, and fails then, as a lost connection does."""

    def __init__(self, name: str) -> None:
        self._released = threading.Event()
        super().__init__(name, self._hang)

    def _hang(self, _replaced: Replaced, _arguments: tuple[Any, ...]) -> int:
        assert self._released.wait(60), "the test forgot a hanging call"
        return DEVICE_ERROR

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._released.set()
