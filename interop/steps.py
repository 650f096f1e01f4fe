"""A client's steps: what is done, what is checked, and for which versions."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a client does. `since` and `until` are the first and last KMIP version that have it."""

    name: str
    perform: Callable[..., None]
    since: tuple[int, int] = (1, 0)
    until: tuple[int, int] = (9, 9)

    def belongs_to(self, version: str) -> bool:
        major, _, minor = version.partition(".")
        return self.since <= (int(major), int(minor)) <= self.until


@dataclass(frozen=True, slots=True)
class Outcome:
    version: str
    step: str
    passed: bool
    detail: str = ""

    @property
    def acceptable(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        return f"{self.version} {self.step}: {self.detail}"


class Skipped(Exception):
    """A client cannot be run here; the text says why."""


class Steps:
    """A list of steps that functions register themselves in."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def __call__(
        self, name: str, since: tuple[int, int] = (1, 0), until: tuple[int, int] = (9, 9)
    ) -> Callable[[Callable[..., None]], Callable[..., None]]:
        def register(perform: Callable[..., None]) -> Callable[..., None]:
            self.steps.append(Step(name, perform, since, until))
            return perform

        return register


def perform(step: Step, version: str, *arguments: object) -> Outcome:
    """Run a step. Whatever it raises is a failure with the place it came from."""
    try:
        step.perform(*arguments)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return Outcome(version, step.name, False, f"{type(error).__name__}: {error} ({place.name}:{place.lineno})")
    return Outcome(version, step.name, True)
