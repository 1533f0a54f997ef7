"""A dataset repository on the Hub: what it has, and one sentence for each way it can fail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import HfApi, constants, get_token
from huggingface_hub.errors import (
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

import jax_ir_pairs
from jax_ir_pairs.errors import JaxIrPairsError, UsageError
from jax_ir_pairs.hub.sealed import Content

_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
_PULL_REQUEST = "refs/pr/"
# The exceptions of the client's HTTP library, which is requests, httpx or httpx2 by its version.
_TRANSPORT: tuple[type[Exception], ...] = tuple(
    kind
    for kind in HfHubHTTPError.__mro__
    if issubclass(kind, Exception)
    and kind.__module__.split(".")[0] in {"requests", "httpx", "httpx2"}
)


class HubError(JaxIrPairsError):
    """The Hub, or the way to it, did not let something happen."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on the Hub, known by its SHA-256 where it is a large one, else by its name in git."""

    size: int
    git_oid: str
    sha256: str | None

    def is_same(self, content: Content) -> bool:
        """Says whether `content` is there already."""
        if self.size != content.size:
            return False
        if self.sha256 is not None:
            return self.sha256 == content.sha256
        return self.git_oid == content.git_oid()


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository at the head of one of its branches, or of a pull request."""

    head: str
    private: bool
    files: dict[str, RemoteFile]
    tags: dict[str, str]
    """The commits of the tags."""


@dataclass(frozen=True, slots=True)
class Hub:
    """One dataset repository, whether it is there or not, at one revision."""

    api: HfApi
    repo_id: str
    revision: str

    @property
    def is_pull_request(self) -> bool:
        """Whether the revision is a pull request that is open already."""
        return self.revision.startswith(_PULL_REQUEST)

    def look(self) -> Remote | None:
        """Gives what the repository has, or nothing where there is none.

        **Raises:** [`UsageError`][] where there is no such branch; [`HubError`][].
        """
        with explained(self.repo_id):
            try:
                info = self.api.repo_info(self.repo_id, repo_type="dataset")
            except RepositoryNotFoundError:
                return None
            references = self.api.list_repo_refs(
                self.repo_id, repo_type="dataset", include_pull_requests=True
            )
            open_to_push = [*references.branches, *(references.pull_requests or ())]
            heads = {found.name: found.target_commit for found in open_to_push}
            heads |= {found.ref: found.target_commit for found in open_to_push}
            if self.revision not in heads:
                names = ", ".join(found.name for found in references.branches)
                raise UsageError(
                    f"{self.repo_id}: there is no branch {self.revision!r} to push to; "
                    f"there is {names}."
                )
            head = heads[self.revision]
            files = self.files(head)
        return Remote(
            head=head,
            private=bool(info.private),
            files=files,
            tags={tag.name: tag.target_commit for tag in references.tags},
        )

    def files(self, commit: str) -> dict[str, RemoteFile]:
        """Gives the files of a commit. **Raises:** [`HubError`][]."""
        with explained(self.repo_id):
            listed = self.api.list_repo_tree(
                self.repo_id, recursive=True, revision=commit, repo_type="dataset"
            )
            return {
                entry.path: RemoteFile(
                    entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else None
                )
                for entry in listed
                if isinstance(entry, RepoFile)
            }

    def read(self, commit: str, name: str) -> bytes:
        """Gives the content of a small file. **Raises:** [`HubError`][]."""
        with explained(self.repo_id), TemporaryDirectory() as folder:  # not in the user's cache
            path = self.api.hf_hub_download(
                self.repo_id, name, repo_type="dataset", revision=commit, local_dir=folder
            )
            return Path(path).read_bytes()


def open_hub(repo_id: str, revision: str | None = None) -> Hub:
    """Gives the repository `USER/NAME`, for the account that is logged in.

    **Raises:** [`UsageError`][] for a name that no repository can have; [`HubError`][] where there
    is no token, where it is not valid, or where the Hub cannot be reached.
    """
    if not re.fullmatch(f"{_NAME}/{_NAME}", repo_id) or re.search(r"--|\.\.|\.git$", repo_id):
        raise UsageError(f"{repo_id!r} is not the name of a repository, such as user/jax-ir-pairs.")
    token = get_token()
    if token is None:
        raise HubError("There is no token for the Hub: run `hf auth login`, or set HF_TOKEN.")
    if not (token.isascii() and token.isprintable()) or " " in token:
        # It would fail as a header of HTTP, with an error that shows it.
        raise HubError("The token for the Hub has characters that no token has: log in again.")
    api = HfApi(token=token, library_name="jax-ir-pairs", library_version=jax_ir_pairs.__version__)
    with explained(repo_id):
        api.whoami()
    return Hub(api, repo_id, revision or "main")


@contextmanager
def explained(repo_id: str) -> Iterator[None]:
    """Turns what the Hub's client raises in the block into one sentence: a [`HubError`][]."""
    try:
        yield
    except JaxIrPairsError:
        raise
    except OfflineModeIsEnabled as error:
        raise HubError("The Hub is switched off by HF_HUB_OFFLINE: unset it.") from error
    except _TRANSPORT as error:
        raise HubError(_failed(repo_id, error)) from error
    except RuntimeError as error:  # around that of an upload
        raise HubError(_failed(repo_id, error.__cause__ or error)) from error
    except OSError as error:
        if error.filename is not None:  # a file of ours
            raise
        raise HubError(_unreachable(error)) from error
    except ValueError as error:
        raise HubError(f"{repo_id}: the Hub or its client refuses: {_line(error)}.") from error


def _failed(repo_id: str, error: BaseException) -> str:
    response = getattr(error, "response", None)
    if response is None:
        return _unreachable(error)
    match response.status_code:
        case 401 if not isinstance(error, RepositoryNotFoundError):
            return "The Hub does not accept the token: run `hf auth login`, or correct HF_TOKEN."
        case 403:
            return (
                f"{repo_id}: the token may not write there; use one with write access to what "
                f"{repo_id.split('/')[0]} owns."
            )
        case 401 | 404:
            return (
                f"{repo_id}: there is no such dataset, or the token may not see it; check the name."
            )
        case 409 | 412:
            return f"{repo_id}: was changed by somebody else meanwhile; run the same command again."
        case 429:
            return "The Hub asks for a pause after so many requests; run it again in some minutes."
    said = " ".join((getattr(error, "server_message", None) or "no reason given").split())
    later = "; run it again later" if response.status_code >= 500 else ""
    return f"{repo_id}: the Hub answered {response.status_code} ({said}){later}."


def _unreachable(error: BaseException) -> str:
    return (
        f"{constants.ENDPOINT}: the connection failed ({_line(error)}); check the network and run "
        "the same command again, what has arrived is not sent again."
    )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
