"""What hostile and many peers cost the others: p99 under attack, memory of idle connections, a boot storm.

    python -m bench.hostile [--short] [--json FILE]

Strategy: this server as `init` makes it. A good client is measured by the load generator in a process of its own,
quiet and under attack in turn, so that what else the machine does hits both; the ratio of each pair counts.
Attackers are a process of their own too, on the same cores: what they burn themselves is in the figures. Everything
stays on the loopback addresses and ends by itself. See bench/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bench import messages, processes, report, servers
from bench.load import Endpoint, Job, connect, exchange

SECONDS = 3.0
CROWD = 1000
IDLE = 5000
STORM = 1000
AT_ONCE = 64
"""Handshakes that the idle crowd makes at once."""
_ADDRESSES = 4

# --- attackers, each in a process of its own ----------------------------------------------------


def _tls(endpoint: Endpoint) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=endpoint.ca)
    context.load_cert_chain(endpoint.certificate, endpoint.key)
    context.check_hostname = False
    return context


async def _plain(
    endpoint: Endpoint, source: str = "127.0.0.2"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", endpoint.port, local_addr=(source, 0))


async def _over_tls(
    endpoint: Endpoint, context: ssl.SSLContext, source: str = "127.0.0.2"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", endpoint.port, local_addr=(source, 0), ssl=context)


async def silent_connections(endpoint: Endpoint) -> None:
    """1,000 of one address that say nothing, made again when they are ended."""

    async def one() -> None:
        while True:
            reader, _ = await _plain(endpoint)
            await reader.read()
            await asyncio.sleep(0.1)

    await asyncio.gather(*(_over_and_over(one) for _ in range(CROWD)))


async def slow_handshakes(endpoint: Endpoint) -> None:
    """1,000 of one address that send a byte of their hello each second."""

    async def one() -> None:
        _, writer = await _plain(endpoint)
        for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".ljust(500, b"\x00"):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(1)

    await asyncio.gather(*(_over_and_over(one) for _ in range(CROWD)))


async def slow_bytes(endpoint: Endpoint) -> None:
    """200 sessions that send ten bytes of a message each second."""
    context, message = _tls(endpoint), messages.create()

    async def one() -> None:
        _, writer = await _over_tls(endpoint, context)
        for byte in message[:-1]:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.1)

    await asyncio.gather(*(_over_and_over(one) for _ in range(200)))


async def nonsense(endpoint: Endpoint) -> None:
    """One connection after the other that is no TLS."""

    async def one() -> None:
        reader, writer = await _plain(endpoint)
        writer.write(os.urandom(4096))
        await reader.read()
        writer.close()

    await _over_and_over(one)


async def oversize_messages(endpoint: Endpoint) -> None:
    """One session after the other with a message that is too large."""
    context, message = _tls(endpoint), messages.create()

    async def one() -> None:
        reader, writer = await _over_tls(endpoint, context)
        writer.write(message[:4] + (64 << 20).to_bytes(4, "big") + message[8:])
        await reader.read()
        writer.close()

    await _over_and_over(one)


def _asking(message: bytes) -> Callable[[Endpoint], Awaitable[None]]:
    """One session that sends this as fast as it is answered."""

    async def attack(endpoint: Endpoint) -> None:
        context = _tls(endpoint)

        async def one() -> None:
            reader, writer = await _over_tls(endpoint, context)
            while True:
                writer.write(message)
                head = await reader.readexactly(8)
                await reader.readexactly(int.from_bytes(head[4:], "big"))

        await _over_and_over(one)

    return attack


async def unread_answers(endpoint: Endpoint) -> None:
    """Five sessions that ask without end and read nothing."""
    context, message = _tls(endpoint), messages.locate("nobody's") * 50

    async def one() -> None:
        reader, writer = await _over_tls(endpoint, context)
        writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        transport: Any = writer.transport
        transport.pause_reading()
        del reader
        while True:
            writer.write(message)
            await writer.drain()

    await asyncio.gather(*(_over_and_over(one) for _ in range(5)))


async def _over_and_over(one: Callable[[], Awaitable[None]]) -> None:
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            await one()
        await asyncio.sleep(0.01)


def _nested(depth: int) -> bytes:
    inner = b""
    for _ in range(depth):
        inner = messages.structure(0x420079, inner)
    return messages.message(0xA, inner)


def _batch(items: int) -> bytes:
    version = messages.structure(0x420069, messages.number(0x42006A, 1), messages.number(0x42006B, 2))
    header = messages.structure(0x420077, version, messages.number(0x42000D, items))
    item = messages.structure(0x42000F, messages.number(0x42005C, 0x18, 5), messages.structure(0x420079))
    return messages.structure(0x420078, header, item * items)


ATTACKS: dict[str, Callable[[Endpoint], Awaitable[None]]] = {
    "1,000 silent connections": silent_connections,
    "1,000 slow handshakes": slow_handshakes,
    "200 slow messages": slow_bytes,
    "nonsense for a handshake": nonsense,
    "oversize messages": oversize_messages,
    "nesting of 2,000": _asking(_nested(2000)),
    "10,000 batch items": _asking(_batch(10_000)),
    "answers that are not read": unread_answers,
}


async def _attack(name: str, endpoint: Endpoint, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ATTACKS[name](endpoint)


@contextmanager
def _attacked(name: str, endpoint: Endpoint, seconds: float) -> Iterator[None]:
    """An attacker that has begun, and is ended afterwards."""
    job = json.dumps({"name": name, "seconds": seconds, "endpoint": _fields(endpoint)})
    process = subprocess.Popen([sys.executable, "-m", "bench.hostile", "--attack", job], cwd=servers.ROOT)
    try:
        time.sleep(2)  # It has to start and to make its connections.
        yield
    finally:
        process.terminate()
        process.wait()


def _fields(endpoint: Endpoint) -> dict[str, Any]:
    return {name: getattr(endpoint, name) for name in endpoint.__slots__}


def under_attack(endpoint: Endpoint, rounds: int) -> list[dict[str, Any]]:
    """A row for each attack: p99 quiet and under it, in milliseconds, and the median of the ratios."""
    good = connect(endpoint)
    get = messages.get(messages.unique_identifier(exchange(good, messages.create())))
    good.close()
    job = Job(endpoint=endpoint, messages=[get], connections=4, seconds=SECONDS)
    rows = []
    for name in ATTACKS:
        pairs = []
        for _ in range(rounds):
            quiet = servers.load(job)
            with _attacked(name, endpoint, SECONDS + 30):
                attacked = servers.load(job)
            pairs.append((quiet["p99_ms"], attacked["p99_ms"]))
        quiet_p99, attacked_p99 = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(after / before for before, after in pairs)
        rows.append({"attack": name, "quiet_p99_ms": quiet_p99, "p99_ms": attacked_p99, "ratio": ratio})
        print(
            f"{name:28} p99 {quiet_p99:6.1f} -> {attacked_p99:6.1f} ms  {ratio:.1f} ×", file=sys.stderr, flush=True
        )
    return rows


# --- many good clients --------------------------------------------------------------------------


async def idle_crowd(endpoint: Endpoint, process: int, count: int) -> dict[str, Any]:
    """So many sessions that have been answered once and stay; the server's memory before and with them."""
    context, gate = _tls(endpoint), asyncio.Semaphore(AT_ONCE)
    message = messages.locate("nobody's")
    before = processes.resident_mb(process)
    held = []

    async def one(number: int) -> None:
        async with gate:
            reader, writer = await _over_tls(endpoint, context, f"127.0.0.{2 + number % _ADDRESSES}")
            writer.write(message)
            head = await reader.readexactly(8)
            await reader.readexactly(int.from_bytes(head[4:], "big"))
            held.append((reader, writer))

    await asyncio.gather(*(one(number) for number in range(count)))
    after = processes.resident_mb(process)
    for _, writer in held:
        writer.transport.abort()
    return {"connections": len(held), "before_mb": before, "mb": after}


async def storm(endpoint: Endpoint, gets: list[bytes]) -> dict[str, Any]:
    """All clients at once: connect, fetch the key, go; how many were served, and when the last one was."""
    context = _tls(endpoint)
    begun = time.perf_counter()
    times: list[float] = []
    failures: list[str] = []

    async def one(message: bytes) -> None:
        try:
            reader, writer = await _over_tls(endpoint, context, "127.0.0.1")
            writer.write(message)
            head = await reader.readexactly(8)
            answer = head + await reader.readexactly(int.from_bytes(head[4:], "big"))
            writer.close()
        except (OSError, EOFError) as error:
            failures.append(repr(error))
            return
        if messages.succeeded(answer):
            times.append(time.perf_counter() - begun)

    await asyncio.gather(*(one(message) for message in gets))
    return {
        "clients": len(gets),
        "served": len(times),
        "seconds": max(times, default=0.0),
        "failures": sorted(set(failures)),
    }


def keys(endpoint: Endpoint, count: int) -> list[bytes]:
    """A Get for each of so many fresh keys."""
    connection = connect(endpoint)
    made = [messages.unique_identifier(exchange(connection, messages.create())) for _ in range(count)]
    connection.close()
    return [messages.get(each) for each in made]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one round of each attack instead of three")
    parser.add_argument("--json", type=Path, default=Path("bench/results/hostile.json"))
    parser.add_argument("--attack", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.attack:
        job = json.loads(options.attack)
        asyncio.run(_attack(job["name"], Endpoint(**job["endpoint"]), job["seconds"]))
        return 0
    with tempfile.TemporaryDirectory() as folder, servers.ours(Path(folder) / "ours", servers.OURS) as ours:
        endpoint = ours.endpoint
        crowd = asyncio.run(idle_crowd(endpoint, ours.process, IDLE))
        print(json.dumps(crowd), file=sys.stderr, flush=True)
        stormed = asyncio.run(storm(endpoint, keys(endpoint, STORM)))
        print(json.dumps(stormed), file=sys.stderr, flush=True)
        attacks = under_attack(endpoint, 1 if options.short else 3)
    print(report.hostile_table(attacks, crowd, stormed))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    measured = {"machine": report.machine(), "attacks": attacks, "idle": crowd, "storm": stormed}
    options.json.write_text(json.dumps(measured, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
