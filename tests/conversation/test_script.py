"""Conversations as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmip_server.conversation import script
from kmip_server.errors import SettingsError

WHOLE = """<Conversation client="a client" evidence="trace" source="somewhere">
  <Connect />
  <RequestMessage />
  <ResponseMessage />
  <RequestMessage />
  <Connect />
  <RequestMessage />
  <ResponseMessage />
</Conversation>
"""


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "one.xml"
    path.write_text(WHOLE)
    read = script.read(path)
    assert (read.client, read.evidence, read.source) == ("a client", "trace", "somewhere")
    assert [each.begins_connection for each in read.exchanges] == [True, False, True]
    assert [each.response is not None for each in read.exchanges] == [True, False, True]
    assert script.written(read) == WHOLE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<Conversation", "is no conversation: "),
        ("<KMIP/>", "first element is Conversation"),
        ('<Conversation evidence="guess"/>', "evidence is one of run, trace"),
        ('<Conversation evidence="doc"/>', "nothing is asked"),
        ('<Conversation evidence="doc"><ResponseMessage/></Conversation>', "ResponseMessage stands where"),
        ('<Conversation evidence="doc"><RequestMessage/><Other/></Conversation>', "Other stands where"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><Conversation evidence="doc"/>', "declares a document type"),
    ],
)
def test_what_is_none(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "none.xml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=words) as found:
        script.read(path)
    assert str(path) in str(found.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        script.read(tmp_path / "none.xml")
