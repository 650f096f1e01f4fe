"""A conversation as a file: what a client sends, and what it needs of the answers.

Strategy: XML, in the standard's own encoding (`protocol/ttlv_xml.py`), as the official test cases are written, so
that whoever knows those can read this. Around the messages stand who the client is, where this comes from and how
sure it is; `Connect` begins a new connection. A value that begins with `$` is a placeholder.

    <Conversation client="..." evidence="trace" source="...">
      <Connect/>
      <RequestMessage>...</RequestMessage>
      <ResponseMessage>...</ResponseMessage>
    </Conversation>

In an answer an element may have `exact="true"` (nothing else stands inside it) or `absent="true"` (it does not
stand there): see `compare.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from kmip_server.errors import CodecError, SettingsError

EVIDENCE = ("run", "trace", "source", "doc", "recorded")
"""How it is known: the client was run, its traffic seen, its source read, its makers say so; or it was recorded."""
MAX_BYTES = 16 << 20


@dataclass(slots=True)
class Exchange:
    """One request, and what is known of its answer."""

    request: Element
    response: Element | None = None
    begins_connection: bool = False


@dataclass(slots=True, kw_only=True)
class Conversation:
    """A file's content."""

    client: str
    evidence: str
    source: str
    exchanges: list[Exchange] = field(default_factory=list)


def read(path: Path) -> Conversation:
    """The conversation in a file. Raises SettingsError, which says what is wrong with it."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SettingsError(f"{path} is longer than a conversation may be")
        text = path.read_text(encoding="utf-8")
        if "<!" in text.replace("<!--", ""):
            raise SettingsError(f"{path} declares a document type or an entity, which a conversation has not")
        root = ElementTree.fromstring(text)  # noqa: S314 - without declarations there is nothing to expand
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except (ElementTree.ParseError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no conversation: {error}") from error
    try:
        return _conversation(root)
    except CodecError as error:
        raise SettingsError(f"{path}: {error.message}") from error


def _conversation(root: Element) -> Conversation:
    if root.tag != "Conversation":
        raise CodecError("a conversation's first element is Conversation")
    evidence = root.get("evidence", "")
    if evidence not in EVIDENCE:
        raise CodecError(f"evidence is one of {', '.join(EVIDENCE)}")
    found = Conversation(client=root.get("client", ""), evidence=evidence, source=root.get("source", ""))
    begins = True
    for element in root:
        if element.tag == "Connect":
            begins = True
        elif element.tag == "RequestMessage":
            found.exchanges.append(Exchange(element, begins_connection=begins))
            begins = False
        elif element.tag == "ResponseMessage" and found.exchanges and found.exchanges[-1].response is None:
            found.exchanges[-1].response = element
        else:
            raise CodecError(f"{element.tag} stands where no {element.tag} can be")
    if not found.exchanges:
        raise CodecError("nothing is asked")
    return found


def written(conversation: Conversation) -> str:
    """The file's text."""
    attributes = {
        "client": conversation.client,
        "evidence": conversation.evidence,
        "source": conversation.source,
    }
    root = Element("Conversation", attributes)
    for exchange in conversation.exchanges:
        if exchange.begins_connection:
            root.append(Element("Connect"))
        root.append(exchange.request)
        if exchange.response is not None:
            root.append(exchange.response)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"
