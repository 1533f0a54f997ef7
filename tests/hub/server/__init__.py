"""A small server that speaks the Hub's HTTP API for datasets, for tests with the real clients.

It keeps everything in memory, counts what goes over the wire, and cuts connections on request.
`HubServer.environment` is what a process needs in order to talk to it; the clients read it when
they are imported, so they run in processes of their own.
"""

from __future__ import annotations

from tests.hub.server.client import Client, Done
from tests.hub.server.hub import READER, STRANGER, WRITER, HubServer
from tests.hub.server.state import Repository
from tests.hub.server.traffic import Exchange, Traffic

__all__ = [
    "READER",
    "STRANGER",
    "WRITER",
    "Client",
    "Done",
    "Exchange",
    "HubServer",
    "Repository",
    "Traffic",
]
