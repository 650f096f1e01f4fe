"""Each client's folder is what it should be, and the page is what the last runs came to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from interop import page, play, trouble
from interop.contract import Client
from interop.run import FOLDER, clients
from interop.steps import Outcome

CLIENTS = clients()


@pytest.mark.parametrize("name", sorted(CLIENTS))
def test_a_folder_says_what_it_is(name: str) -> None:
    client = CLIENTS[name]
    assert isinstance(client, Client)
    assert client.name == name
    assert client.title
    assert client.language
    readme = (FOLDER / name / "README.md").read_text()
    assert readme.startswith("# ")
    assert len(readme.split()) > 20


@pytest.mark.parametrize("path", sorted(play.RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_every_step_of_the_last_run_passed(path: Path) -> None:
    (result,) = (each for each in play.kept() if each.name == path.stem)
    assert result.complaints() == []
    assert len(result.ours) >= 3
    assert path.stem in CLIENTS
    assert not result.troubles or list(result.troubles) == list(trouble.TROUBLES)
    # What was run stands in the repository: no path or address of the machine that it ran on.
    text = json.dumps(json.loads(path.read_text()))
    assert not re.search(
        "|".join(f"/{each}/" for each in ("tmp", "root", "home", "work")) + r"|127\.0\.0\.1:\d", text
    ), path.name


def test_the_page_is_of_the_last_runs() -> None:
    assert page.PAGE.read_text() == page.text(play.kept())


def test_what_failed_is_told() -> None:
    outcome = Outcome("1.2", "a step", False, "it was not so")
    result = play.Result(
        name="one",
        title="One",
        version="1",
        language="C",
        installed_by="hand",
        limits=[],
        page="",
        server="0",
        date="2026-01-01",
        ours=[outcome, Outcome("1.2", "another", True)],
        troubles={"it is away": ("nothing within 60 s", "")},
    )
    assert result.complaints() == ["1.2 a step: it was not so"]
    assert result.summary() == "1 of 2 steps"
    text = page.text([result])
    assert "| a step | **failed** |" in text
    assert "* 1.2 a step: it was not so" in text
    assert "| it is away | nothing within 60 s |  |" in text
