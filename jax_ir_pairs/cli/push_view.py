"""A push in the terminal: what it changes, how far it is, and what came of it."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from jax_ir_pairs.hub.push import Pushed
from jax_ir_pairs.hub.push_plan import Part, Plan
from jax_ir_pairs.hub.remote import Hub
from jax_ir_pairs.hub.sealed import release_tag
from jax_ir_pairs.inspect.statistics_view import readable_bytes

_TENTHS = 10


class PushProgress:
    """Shows how much has arrived: a bar in a terminal, a line at each tenth elsewhere."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._console = console
        self._wanted = len(plan.upload), sum(content.size for content in plan.upload)
        self._files = self._size = 0
        self._bar = Progress(
            TextColumn("Sending"),
            BarColumn(),
            TextColumn("{task.fields[files]:,} of {task.fields[of]:,} files"),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
            disable=not (console.is_terminal and plan.upload),
            transient=True,
        )
        of, size = self._wanted
        self._task = self._bar.add_task("", total=size, files=0, of=of)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def __call__(self, files: int, size: int) -> None:
        """Shows that so many more files and bytes are there."""
        of, total = self._wanted
        tenth = self._size * _TENTHS // max(total, 1)
        self._files, self._size = self._files + files, self._size + size
        self._bar.update(self._task, completed=self._size, files=self._files)
        if not self._console.is_terminal and self._size * _TENTHS // max(total, 1) > tenth:
            sizes = f"{readable_bytes(self._size)} of {readable_bytes(total)}"
            say(self._console, f"sent {self._files:,} of {of:,} files, {sizes}")


def say(console: Console, *lines: str) -> None:
    """Prints lines as they are."""
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def table(plan: Plan) -> Table:
    """Gives what the repository has afterwards, and what of it goes up; 80 columns are enough."""
    shown = Table("", "files", "bytes", "there", "send", "", "delete", "", box=None, pad_edge=False)
    for column in shown.columns[1:-1]:
        column.justify = "right"
    for part in plan.parts:
        shown.add_row(
            part.name,
            f"{part.files:,}",
            readable_bytes(part.size),
            f"{part.files - len(part.upload):,}",
            f"{len(part.upload):,}" if part.upload else "–",
            readable_bytes(part.upload_size) if part.upload else "",
            f"{len(part.delete):,}" if part.delete else "–",
            _note(part),
        )
    return shown


def _note(part: Part) -> str:
    if part.is_kept:
        return "stays" if part.is_config else "stays, not in card"
    if part.is_new:
        return "new"
    if part.replaces is not None:
        return f"replaces {part.replaces[:8]}"
    return "" if part.upload or part.delete else "as it is"


def heading(hub: Hub, plan: Plan) -> list[str]:
    """Says where it goes, and by which revisions it and what it replaces can be loaded."""
    place = f"{hub.api.endpoint}/datasets/{hub.repo_id}"
    if plan.remote is None:
        lines = [f"{place}: a new {'private ' if plan.private else ''}dataset"]
    elif plan.create_pr:
        lines = [f"{place}: a pull request to {hub.revision}"]
    else:
        lines = [f"{place}: {hub.revision}"]
    lines += [
        f"What {part.name} is now stays as revision {release_tag(part.name, part.replaces)}."
        for part in plan.parts
        if part.replaces is not None
    ]
    if plan.tags:
        lines.append(f"Tags of the result: {', '.join(plan.tags)}.")
    return lines


def outcome(hub: Hub, plan: Plan, pushed: Pushed) -> list[str]:
    """Says what came of it."""
    if not pushed.commits:
        return ["All files are there already; no commit was made."]
    if pushed.pull_request is not None:
        return [f"Sent as a pull request: {pushed.pull_request}"]
    revision = "" if hub.revision == "main" else f', revision="{hub.revision}"'
    calls = [
        f'  load_dataset("{hub.repo_id}", "{part.name}"{revision})'
        for part in plan.parts
        if part.is_config and not part.is_kept
    ]
    return [f"Pushed as commit {pushed.commit[:8]}. Load it:", *calls]
