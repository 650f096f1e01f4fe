"""The load generator: blocking TLS connections in threads, messages made before.

It runs as a process of its own, so that its interpreter lock is not the server's. What it costs by itself
shows in the row of the bare responder.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from bench.messages import succeeded


@dataclass(frozen=True, slots=True)
class Endpoint:
    port: int
    certificate: str
    key: str
    ca: str
    tls12: bool = False


def connect(endpoint: Endpoint) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=endpoint.ca)
    context.load_cert_chain(endpoint.certificate, endpoint.key)
    context.check_hostname = False
    if endpoint.tls12:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    plain = socket.create_connection(("127.0.0.1", endpoint.port), timeout=240)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain)


def exchange(connection: ssl.SSLSocket, message: bytes) -> bytes:
    connection.sendall(message)
    received = connection.recv(65536)
    while len(received) < 8 or len(received) < 8 + int.from_bytes(received[4:8], "big"):
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("the server closed the connection")
        received += more
    return received


def run(endpoint: Endpoint, messages: list[bytes], connections: int, seconds: float) -> dict[str, float]:
    """Requests for `seconds` over so many connections: requests/s, and p50 and p99 in milliseconds."""
    barrier = threading.Barrier(connections + 1)
    times: list[list[float]] = [[] for _ in range(connections)]
    faults: list[str] = []
    ends = [0.0]

    def work(number: int) -> None:
        try:
            connection = connect(endpoint)
        except OSError as error:
            faults.append(str(error))
            barrier.abort()
            return
        mine, count = times[number], len(messages)
        exchange(connection, messages[number % count])
        barrier.wait()
        end, at = ends[0], number
        while True:
            begun = time.perf_counter()
            if begun >= end and mine:
                break
            reply = exchange(connection, messages[at % count])
            mine.append(time.perf_counter() - begun)
            if not succeeded(reply):
                faults.append("a request was refused")
                break
            at += connections
        connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    ends[0] = time.perf_counter() + seconds + 0.5
    try:
        barrier.wait()
    except threading.BrokenBarrierError as error:
        raise ConnectionError(faults[0] if faults else "no connection") from error
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begun
    if faults:
        raise RuntimeError(faults[0])
    every = sorted(each for mine in times for each in mine)
    return {
        "requests_per_second": len(every) / took,
        "p50_ms": every[len(every) // 2] * 1000,
        "p99_ms": every[min(len(every) - 1, int(len(every) * 0.99))] * 1000,
    }


def main() -> None:
    """One job from a JSON file, its result as JSON."""
    job = json.loads(Path(sys.argv[1]).read_text())
    messages = [bytes.fromhex(each) for each in job["messages"]]
    print(json.dumps(run(Endpoint(**job["endpoint"]), messages, job["connections"], job["seconds"])))


if __name__ == "__main__":
    main()
