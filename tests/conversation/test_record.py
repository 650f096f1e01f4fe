"""A client recorded at the server: nothing of it is told, and what was recorded can be played."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interop import servers
from interop.corpus import client as corpus
from interop.endpoint import Endpoint
from kmip_server.conversation import redact, replay, script
from kmip_server.protocol import ttlv
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import V1_2
from tests.support.engine import request_message
from tests.support.server import RunningServer, command, run

PLAYED = ("fortigate", "synology", "ceph-csi")


def play(endpoint: Endpoint, conversation: script.Conversation) -> list[str]:
    """What differs."""
    server = replay.Server(
        host="localhost",
        port=endpoint.port,
        ca=Path(endpoint.ca),
        certificate=Path(endpoint.certificate),
        key=Path(endpoint.key),
    )
    given = {"$USERNAME": endpoint.identity, "$PASSWORD": corpus.PASSWORD}
    return [each for played in replay.play(conversation, server, given) for each in played.differences]


def recorded(endpoint: Endpoint, file: Path, act: Callable[[], Any], *options: str) -> str:
    """What `kmip-admin record` prints, around an act."""
    assert endpoint.server is not None
    words = ("--config", str(endpoint.server.config), "record", endpoint.identity, str(file), *options)
    with subprocess.Popen(command("kmip-admin", *words), stdout=subprocess.PIPE, text=True) as recording:
        assert recording.stdout is not None
        begun = recording.stdout.readline()
        act()
        return begun + recording.communicate(timeout=60)[0]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_recorded_can_be_played_by_another(tmp_path: Path, workers: int) -> None:
    with servers.ours(tmp_path, [f"server.workers={workers}"]) as endpoints:
        first, second = endpoints["client"], endpoints["client2"]
        for each in (first, second):
            folder = tmp_path / each.identity
            folder.mkdir()
            corpus._with_password(each, folder)
        file = tmp_path / "recorded.xml"
        conversations = corpus.conversations()
        count = sum(len(conversations[name].exchanges) for name in PLAYED)
        told = recorded(
            first,
            file,
            lambda: [play(first, conversations[name]) for name in PLAYED],
            *("--messages", str(count), "--seconds", "30"),
        )
        assert f"{count} messages of client in " in told
        assert file.stat().st_mode & 0o777 == 0o600
        found = script.read(file)
        assert found.evidence == "recorded"
        assert len(found.exchanges) == count
        assert play(second, found) == []
        assert play(first, script.read(corpus.FOLDER / "scylladb.xml")) == []
    text = file.read_text()
    for secret in ("IPSEC", "peer", "11" * 16, "5a" * 72, "66" * 32, "77" * 16, "ab" * 64, corpus.PASSWORD):
        assert secret not in text


def test_who_is_recorded_and_where_to(server: RunningServer, tmp_path: Path) -> None:
    there = tmp_path / "there.xml"
    there.touch()
    done = server.admin("record", "client", str(there), check=False)
    assert (done.returncode, "exists" in done.stderr) == (2, True)
    done = server.admin("record", "nobody here", str(tmp_path / "new.xml"), check=False)
    assert done.returncode != 0
    assert "there is no client 'nobody here'" in done.stderr
    assert not (tmp_path / "new.xml").exists()


def test_an_appliance_may_not_record(server: RunningServer, tmp_path: Path) -> None:
    certificate, key = server.certificate("client")
    where = (
        "--url",
        f"https://localhost:{server.admin_port}",
        "--cert",
        certificate,
        "--key",
        key,
        "--ca",
        server.ca,
    )
    done = run("kmip-admin", *where, "record", "client2", str(tmp_path / "new.xml"), check=False)
    assert done.returncode != 0
    assert "may not client.record" in done.stderr


def test_what_another_client_says_is_not_to_be_had(server: RunningServer, tmp_path: Path) -> None:
    """Nor can a recording that is under way be taken over."""
    words = ("--config", str(server.config), "record", "client", str(tmp_path / "mine.xml"), "--seconds", "3")
    with subprocess.Popen(command("kmip-admin", *words), stdout=subprocess.PIPE, text=True) as recording:
        assert recording.stdout is not None
        recording.stdout.readline()
        done = server.admin("record", "client2", str(tmp_path / "other.xml"), check=False)
        assert "another client is being recorded" in done.stderr
        recording.communicate(timeout=60)
    assert recording.returncode == 0


def row(message: bytes, at: float, connection: int = 1) -> dict[str, Any]:
    return {"connection": connection, "at": at, "now": 1_700_000_000, "request": message.hex(), "answer": None}


def get(uid: str) -> bytes:
    return request_message(V1_2, [(10, encode_structure(GetRequest(unique_identifier=uid), V1_2), None)])


def test_in_the_order_in_which_it_came_and_equal_where_it_was_equal() -> None:
    rows = [row(get("second"), 2.0), row(get("first"), 1.0), row(get("second"), 3.0, 2)]
    text = redact.recorded(rows)
    assert text.count("<Connect />") == 2
    values = [line for line in text.splitlines() if "UniqueIdentifier" in line]
    assert [each.split('value="')[1].split('"')[0] for each in values] == ["text-1", "text-2", "text-2"]
    assert "first" not in text
    assert "second" not in text


@pytest.mark.parametrize("text", ["a\x00b", "\x1b[31m", "\ufffe"])
def test_text_that_xml_cannot_write_is_no_hindrance(text: str) -> None:
    assert 'value="text-1' in redact.recorded([row(get(text), 1.0)])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("Cryptographic Length", "Cryptographic Length"),
        ("x-Product", "x-Product"),
        ("x-a\x1bb", "text-1"),
        ("of a customer", "text-1"),
    ],
)
def test_of_attribute_names_those_stay_that_a_maker_gave(given: str, told: str) -> None:
    message: Item = (Tag.REQUEST_MESSAGE, ttlv.STRUCTURE, [(Tag.ATTRIBUTE_NAME, ttlv.TEXT_STRING, given)])
    assert f'value="{told}' in redact.recorded([row(ttlv.encode(message), 1.0)])


def test_what_is_no_message_is_left_out() -> None:
    broken = {"connection": 1, "at": 1.0, "now": 0, "request": "00", "answer": None}
    assert redact.recorded([broken, row(get("one"), 2.0)]).count("<RequestMessage>") == 1


def test_dates_are_told_by_their_distance() -> None:
    message: Item = (
        Tag.REQUEST_MESSAGE,
        ttlv.STRUCTURE,
        [
            (Tag.ACTIVATION_DATE, ttlv.DATE_TIME, 1_700_000_000 - 3600),
            (Tag.DEACTIVATION_DATE, ttlv.DATE_TIME, 4_102_444_800),
        ],
    )
    text = redact.recorded([row(ttlv.encode(message), 1.0)])
    assert '<ActivationDate type="DateTime" value="$NOW-3600" />' in text
    assert '<DeactivationDate type="DateTime" value="2100-01-01T00:00:00+00:00" />' in text
