"""The suite of ../mongodb with MongoDB's driver for Java: another libmongocrypt, and TLS by Java."""

from __future__ import annotations

from pathlib import Path

from interop.contract import KEPT, Client, Failed, call
from interop.endpoint import Endpoint
from interop.mongodb import suite
from interop.steps import Outcome, Skipped

FOLDER = Path(__file__).resolve().parent / "program"
TARGET = KEPT / "mongodb_java" / "target"
# Many short processes: what a JVM prepares for a long life costs more than it gives.
PROGRAM = (
    "java",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-cp",
    f"{TARGET / 'classes'}:{TARGET}/lib/*",
    "interop.Vault",
)


def run(endpoint: Endpoint, folder: Path) -> list[Outcome]:
    return suite.play(PROGRAM, endpoint, folder)


def probe(endpoint: Endpoint, folder: Path) -> str:
    return suite.look(PROGRAM, endpoint, folder)


def prepare(kept: Path) -> None:
    """The program compiled beside the driver's jars; anew where its source changed."""
    sources = [FOLDER / "pom.xml", *sorted(FOLDER.glob("src/**/*.java"))]
    stamp, said = kept / "built", "".join(path.read_text() for path in sources)
    if stamp.exists() and stamp.read_text() == said:
        return
    try:
        call(
            ("mvn", "-q", "-B", f"-Dkept={kept / 'target'}", "compile", "dependency:copy-dependencies"),
            folder=FOLDER,
            seconds=600,
        )
    except Failed as error:
        raise Skipped(f"MongoDB's driver for Java cannot be had: {error}") from error
    stamp.write_text(said)


CLIENT = Client(
    name="mongodb_java",
    title="MongoDB field level encryption: the driver for Java",
    version="driver 5.5.1 (libmongocrypt of mongodb-crypt 5.5.1)",
    language="Java, C",
    installed_by="Maven Central: `org.mongodb:mongodb-driver-sync:5.5.1`, `org.mongodb:mongodb-crypt:5.5.1`",
    needs=("mvn", "java"),
    limits=suite.LIMITS,
    prepare=prepare,
    run=run,
    probe=probe,
)
