"""A server and a client of it; a test module names this one in its `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hub.server.client import Client
from tests.hub.server.hub import HubServer


@pytest.fixture(scope="session")
def hub_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Gives a client that all tests share, so that its process starts once."""
    with HubServer() as hub, Client(hub, tmp_path_factory.mktemp("home")) as client:
        yield client


@pytest.fixture
def client(hub_user: Client) -> Client:
    """Gives a client of a server that knows no repository yet."""
    hub_user.hub.forget()
    return hub_user
