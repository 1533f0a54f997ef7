"""One request to the Hub of the tests, who asks, and what they may do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.hub.server.state import Refused, Repository, State, User


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    content: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for; `url` is the server's own."""

    state: State
    url: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Gives the body's content."""
        return json.loads(self.body or b"{}")

    def token_user(self) -> User | None:
        """Gives who asks, or nothing where there is no token."""
        header = self.headers.get("Authorization")
        if header is None:
            return None
        user = self.state.users.get(header.removeprefix("Bearer "))
        if user is None:
            raise Refused(401, "Invalid credentials in Authorization header")
        return user

    def user(self) -> User:
        """Gives who asks."""
        user = self.token_user()
        if user is None:
            raise Refused(401, "Invalid username or password.")
        return user

    def writer(self, namespace: str) -> User:
        """Gives who asks, where they may write to what is in `namespace`."""
        user = self.user()
        if user.name != namespace or not user.writes:
            raise Refused(403, f"You don't have the rights to write to {namespace}")
        return user

    def repository(self, name: str, *, write: bool = False) -> Repository:
        """Gives a repository; what may not be seen is not there."""
        user, found = self.token_user(), self.state.repositories.get(name)
        hidden = found is not None and found.private and (not user or user.name != found.owner)
        if found is None or hidden:
            # As the Hub, which tells nobody without a token whether there is such a repository.
            status = 404 if user else 401
            message = "Repository not found" if user else "Invalid username or password."
            raise Refused(status, message, "RepoNotFound")
        if write:
            self.writer(found.owner)
        return found


def as_json(content: Any, status: int = 200, **headers: str) -> Reply:
    """Gives an answer in JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(json.dumps(content).encode(), status, {"Content-Type": "application/json"} | named)
