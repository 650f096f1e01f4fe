"""Conversations played against a server: by the command, and those of the corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from interop import servers
from interop.corpus import client as corpus
from tests.support.server import RunningServer, run


def replay(server: RunningServer, file: Path, *more: str) -> tuple[int, str]:
    certificate, key = server.certificate()
    where = ("--server", f"localhost:{server.port}", "--cert", certificate, "--key", key, "--ca", server.ca)
    done = run("kmip-admin", "replay", str(file), *where, *more, check=False)
    return done.returncode, done.stdout + done.stderr


def test_an_answer_that_is_as_it_should_be(server: RunningServer) -> None:
    code, told = replay(server, corpus.FOLDER / "scylladb.xml", "--answers")
    assert code == 0
    assert "ScyllaDB, encryption at rest (doc: ScyllaDB issue 23970)" in told
    assert "  1  Locate: as it needs it" in told
    assert '<ResultStatus type="Enumeration" value="Success" />' in told
    assert "1 of 1 answers are as the client needs them" in told


def test_an_answer_that_is_not(server: RunningServer, tmp_path: Path) -> None:
    file = tmp_path / "other.xml"
    text = (corpus.FOLDER / "scylladb.xml").read_text()
    file.write_text(text.replace('value="Success"', 'value="OperationFailed"'))
    code, told = replay(server, file)
    assert code == 1
    assert "  1  Locate: differs" in told
    assert "ResultStatus: expected 'OperationFailed', got 'Success'" in told


def test_without_a_password_the_difference_is_told(server: RunningServer) -> None:
    code, told = replay(server, corpus.FOLDER / "fortigate.xml", "--set", "USERNAME=client", "--set", "PASSWORD=no")
    assert code == 1
    assert "ResultStatus: expected 'Success', got 'OperationFailed'" in told
    code, told = replay(server, corpus.FOLDER / "fortigate.xml")
    assert code == 1
    assert "$USERNAME stands for nothing yet" in told


def test_a_server_that_is_not_there(server: RunningServer) -> None:
    certificate, key = server.certificate()
    where = ("--server", "localhost:1", "--cert", certificate, "--key", key, "--ca", server.ca)
    done = run("kmip-admin", "replay", str(corpus.FOLDER / "scylladb.xml"), *where, check=False)
    assert done.returncode == 1
    assert "the connection failed" in done.stdout


@pytest.mark.slow
def test_the_whole_corpus(tmp_path: Path) -> None:
    with servers.ours(tmp_path) as endpoints:
        found = [outcome for each in endpoints.values() for outcome in corpus.run(each, tmp_path)]
    assert [str(each) for each in found if not each.passed] == []
    assert len(found) == 2 * len(corpus.conversations())
