"""A client's suites, played: side by side here, at PyKMIP's server, and in trouble; and what came of it, kept."""

from __future__ import annotations

import datetime
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from interop import servers, trouble
from interop.contract import Client
from interop.endpoint import Endpoint
from interop.steps import Outcome
from kmip_server import __version__
from kmip_server.protocol.enums import Operation
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.versions import V1_4
from tests.support.wire import Client as WireClient
from tests.support.wire import Connection

_ADDRESS = re.compile(r"127\.0\.0\.1:\d+")
"""Another one in each run."""
RESULTS = Path(__file__).resolve().parent / "results"
APART = "two identities side by side see nothing of each other"


@dataclass(slots=True, kw_only=True)
class Result:
    """Of one client's last run; as JSON in `results/`."""

    name: str
    title: str
    version: str
    language: str
    installed_by: str
    limits: list[str]
    page: str
    server: str
    """This server's version."""
    date: str
    ours: list[Outcome]
    beside: list[Outcome] = field(default_factory=list)
    """What the second identity met that the first did not: failures only."""
    pykmip: list[Outcome] | None = None
    troubles: dict[str, tuple[str, str]] = field(default_factory=dict)
    """What is wrong, what the client shows, and what the server's log says."""

    def complaints(self) -> list[str]:
        """What did not come out as it should at this server."""
        return [str(each) for each in (*self.ours, *self.beside) if not each.passed]

    def summary(self) -> str:
        passed = sum(each.passed for each in self.ours)
        return f"{passed} of {len(self.ours)} steps"


def whole(client: Client, folder: Path, *, only_ours: bool = False) -> Result:
    """Everything of one client. Raises Skipped where it cannot be had."""
    client.require()
    client.kept.mkdir(parents=True, exist_ok=True)
    client.prepare(client.kept)
    first, second = _side_by_side(client, folder) if client.side_by_side else (_alone(client, folder), [])
    result = Result(
        name=client.name,
        title=client.title,
        version=client.version,
        language=client.language,
        installed_by=client.installed_by,
        limits=list(client.limits),
        page=client.page,
        server=__version__,
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        ours=first,
        beside=[each for each in second if not each.passed],
    )
    if client.plays_pykmip and not only_ours:
        with servers.pykmip(folder) as endpoint:
            result.pykmip = client.run(endpoint, _folder(folder, "run-pykmip"))
    if client.probe is not None:
        result.troubles = trouble.shown(client, folder)
        hung = [what for what, (shown, _) in result.troubles.items() if shown.startswith("nothing within")]
        result.ours.append(Outcome("", "in every trouble something is shown in time", not hung, ", ".join(hung)))
    return result


def _side_by_side(client: Client, folder: Path) -> tuple[list[Outcome], list[Outcome]]:
    """By two identities at the same time: what each met."""
    with servers.ours(folder, client.settings) as endpoints, ThreadPoolExecutor(len(endpoints)) as threads:
        running = {
            name: threads.submit(client.run, endpoint, _folder(folder, f"run-{name}"))
            for name, endpoint in endpoints.items()
        }
        first, second = (running[name].result() for name in servers.IDENTITIES)
        return [*first, apart(endpoints)], second


def _alone(client: Client, folder: Path) -> list[Outcome]:
    with servers.ours(folder, client.settings) as endpoints:
        return client.run(endpoints[servers.IDENTITIES[0]], _folder(folder, "run"))


def apart(endpoints: dict[str, Endpoint]) -> Outcome:
    """Whether what one identity has is nothing to the other."""
    found: dict[str, set[str]] = {}
    for name, endpoint in endpoints.items():
        assert endpoint.server is not None
        with Connection(endpoint.server, name) as connection:
            answer = WireClient(connection, V1_4).call(Operation.LOCATE, LocateRequest())
            found[name] = set(answer.unique_identifiers)
    one, other = found.values()
    both = one & other
    return Outcome("", APART, not both, f"{len(both)} objects are seen by both" if both else "")


def keep(result: Result) -> None:
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(asdict(result), indent=1, ensure_ascii=False) + "\n"
    (RESULTS / f"{result.name}.json").write_text(_ADDRESS.sub("ADDRESS", text))


def kept() -> list[Result]:
    """Of every client's last run."""
    return [_read(json.loads(path.read_text())) for path in sorted(RESULTS.glob("*.json"))]


def _read(data: dict[str, Any]) -> Result:
    for key in ("ours", "beside", "pykmip"):
        if data[key] is not None:
            data[key] = [Outcome(**each) for each in data[key]]
    return Result(**data)


def _folder(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made
