"""The load generator against the bare responder, and against a server of ours that refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import messages, servers, traffic
from bench.load import Endpoint, Generator, Job, Refused, connect, exchange
from bench.servers import Contestant
from tests.support.server import make_instance

GET = messages.get("x" * 36)


@pytest.fixture(scope="module")
def like(tmp_path_factory: pytest.TempPathFactory) -> Endpoint:
    instance = make_instance(tmp_path_factory.mktemp("bench") / "instance", "--keystore", "software")
    certs = instance / "certs"
    return Endpoint(0, str(certs / "client.pem"), str(certs / "client.key"), str(certs / "ca.pem"))


@pytest.fixture(scope="module")
def bare(like: Endpoint) -> Iterator[Contestant]:
    with servers.bare(like) as contestant:
        yield contestant


@pytest.mark.parametrize(("connections", "fresh"), [(1, False), (16, False), (128, False), (4, True)])
def test_all_connections_are_used_and_counted(bare: Contestant, connections: int, fresh: bool) -> None:
    job = Job(
        endpoint=bare.endpoint,
        messages=[GET],
        connections=connections,
        seconds=0.5,
        fresh=fresh,
        process=bare.process,
        at_least=2 * connections,
    )
    found = servers.load(job)
    assert found["requests"] >= 2 * connections
    assert 0 < found["p50_ms"] <= found["p95_ms"] <= found["p99_ms"]
    assert found["resident_mb"] > 10
    assert 0 < found["generator_share"] <= 1.1
    assert len(found["cpu_seconds_of_each"]) == len(found["resident_mb_of_each"]) == 1


def test_one_measurement_leaves_the_server_as_it_was(bare: Contestant) -> None:
    for _ in range(2):
        Generator(Job(endpoint=bare.endpoint, messages=[GET], connections=8, seconds=0.1)).run()
    with connect(bare.endpoint) as connection:
        assert messages.succeeded(exchange(connection, GET))


def test_no_server_is_a_failure_and_not_a_figure(like: Endpoint) -> None:
    nobody = Endpoint(1, like.certificate, like.key, like.ca)
    with pytest.raises(servers.Failed):
        servers.load(Job(endpoint=nobody, messages=[GET], connections=2, seconds=0.1))


def test_our_server_is_asked_everything_and_a_refusal_is_told(tmp_path: Path) -> None:
    with servers.ours(tmp_path / "ours", "ours") as contestant:
        traffic.make_named(contestant.endpoint, 0, 12)
        made = traffic.prepare(contestant.endpoint, 12)
        assert not made.refused
        assert set(made.messages) == {work.name for work in traffic.WORKS}
        with connect(contestant.endpoint) as connection:
            for asked in made.messages.values():
                for message in asked[:20]:
                    traffic.ask(connection, message)
            for number in range(12):
                answer = traffic.ask(connection, messages.locate(traffic.name(number)))
                assert answer.count(b"\x42\x00\x94\x07") == 1
            pair = traffic.ask(connection, messages.create_key_pair())
            private = messages.text(0x420094, messages.unique_identifier(pair, 0x420066))
            curve = messages.text(0x42000A, "Cryptographic Domain Parameters")
            p_256 = messages.number(0x420075, 7, 5)
            assert p_256 in traffic.ask(connection, messages.message(0xB, private, curve))
        with pytest.raises(Refused):
            servers.load(Job(endpoint=contestant.endpoint, messages=[GET], connections=2, seconds=0.1))


def test_a_server_of_another_checkout_is_of_its_code(tmp_path: Path) -> None:
    (tmp_path / "kmip_server").mkdir()
    (tmp_path / "kmip_server" / "__init__.py").write_text("")
    where = [sys.executable, "-c", "import kmip_server; print(kmip_server.__file__)"]
    for tree in (tmp_path, servers.ROOT):
        environment = servers.environment(tree)
        told = subprocess.run(where, env=environment, cwd=servers.ROOT, capture_output=True, text=True, check=True)
        assert Path(told.stdout.strip()) == tree / "kmip_server" / "__init__.py"
