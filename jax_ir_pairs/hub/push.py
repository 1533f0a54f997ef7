"""Sends builds and their card to a dataset repository on the Hub.

Large files are sent first and are seen by nobody until a commit names them. One last commit brings
all that readers see: the changed files, the deletions, the manifests and the card. So a push that
is cut anywhere leaves the repository as it was or as it shall be, and run again it sends only what
the Hub lacks. The shards of a config that is new to the repository, of which there can be
thousands, go before it in commits of a bounded size: no card names them yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete

import jax_ir_pairs
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.hub.push_plan import Plan
from jax_ir_pairs.hub.remote import Hub, explained
from jax_ir_pairs.hub.sealed import Content

FILES_PER_COMMIT = 250
"""What the Hub takes in one commit without running into its time limit."""

_FILES_AT_ONCE = 32

Item = TypeVar("Item")
Operation = CommitOperationAdd | CommitOperationDelete


@dataclass(frozen=True, slots=True)
class Pushed:
    """What came of a push."""

    commit: str
    commits: int
    pull_request: str | None
    tags: tuple[str, ...]


@dataclass
class _Sending:
    hub: Hub
    plan: Plan
    head: str
    on_progress: Callable[[int, int], object]
    commits: int = 0
    pull_request: str | None = None

    def upload(self, contents: Sequence[Content]) -> list[CommitOperationAdd]:
        """Sends the large ones of these files, and gives what commits all of them."""
        additions = []
        for batch in _batches(contents, _FILES_AT_ONCE):
            adding = [
                CommitOperationAdd(
                    c.name, c.source if isinstance(c.source, bytes) else str(c.source)
                )
                for c in batch
            ]
            self.hub.api.preupload_lfs_files(
                self.hub.repo_id,
                adding,
                repo_type="dataset",
                revision=self.hub.revision,
                create_pr=self.plan.create_pr,
            )
            for content, addition in zip(batch, adding, strict=True):
                if addition.upload_info.sha256.hex() != content.sha256:
                    raise BuildError(
                        f"{content.name}: changed while it was sent; push again when its build is "
                        "done."
                    )
            self.on_progress(len(batch), sum(content.size for content in batch))
            additions += adding
        return additions

    def commit(self, operations: list[Operation], title: str) -> None:
        """Makes a commit on top of the last one, and fails where somebody else made one."""
        made = self.hub.api.create_commit(
            self.hub.repo_id,
            operations,
            commit_message=title,
            commit_description=f"jax-ir-pairs {jax_ir_pairs.__version__}",
            repo_type="dataset",
            revision=self.hub.revision,
            create_pr=self.plan.create_pr,
            parent_commit=self.head,
        )
        self.head, self.commits = made.oid, self.commits + 1
        self.pull_request = made.pr_url

    def tag(self, names: Sequence[str]) -> None:
        """Tags the last commit."""
        for name in names:
            self.hub.api.create_tag(
                self.hub.repo_id, tag=name, revision=self.head, repo_type="dataset", exist_ok=True
            )


def push(
    hub: Hub, plan: Plan, on_progress: Callable[[int, int], object] = lambda files, size: None
) -> Pushed:
    """Does what `plan` says; `on_progress` is called with the files and bytes that have arrived.

    **Raises:** [`HubError`][]; what has arrived is not sent again by the next push.
    """
    with explained(hub.repo_id):
        head = plan.remote.head if plan.remote else _create(hub, private=plan.private)
        sending = _Sending(hub, plan, head, on_progress)
        sending.tag(plan.tags_of_replaced)
        early = _unread_shards(plan)
        in_front = set(early)
        for number, batch in enumerate(_batches(early, FILES_PER_COMMIT), 1):
            sending.commit([*sending.upload(batch)], f"Shards of new configs, {number}")
        last = [content for content in plan.upload if content not in in_front]
        operations: list[Operation] = [
            *(CommitOperationDelete(name) for name in plan.delete),
            *sending.upload(last),
        ]
        if operations:
            sending.commit(operations, _title(plan))
        sending.tag(plan.tags)
    return Pushed(sending.head, sending.commits, sending.pull_request, plan.tags)


def _create(hub: Hub, *, private: bool) -> str:
    # Where nothing is asked for, an organization may have private as its default.
    hub.api.create_repo(hub.repo_id, repo_type="dataset", private=private or None, exist_ok=True)
    return str(hub.api.repo_info(hub.repo_id, repo_type="dataset").sha)


def _unread_shards(plan: Plan) -> list[Content]:
    """Gives what may go into commits before the last; a pull request is made by one commit."""
    if plan.create_pr or len(plan.upload) <= FILES_PER_COMMIT:
        return []
    new = [content for part in plan.parts if part.is_new for content in part.upload]
    return [content for content in new if content.name.endswith(".parquet")]


def _title(plan: Plan) -> str:
    changed = [part for part in plan.parts if part.upload or part.delete]
    return "; ".join(
        f"{'add' if part.is_new else 'replace' if part.replaces else 'update'} {part.name}"
        for part in changed
    ).capitalize()


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
