"""The command `push`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from jax_ir_pairs.cli.errors import fail_interrupted
from jax_ir_pairs.cli.locations import parse_folder


def push(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", parser=parse_folder, help="Folder that `build` made."),
    ],
    repository: Annotated[
        str, typer.Argument(metavar="USER/NAME", help="Dataset repository on the Hub.")
    ],
    private: Annotated[
        bool, typer.Option("--private", help="Make the repository private, if it is a new one.")
    ] = False,
    revision: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="Branch to push to. [main]")
    ] = None,
    create_pr: Annotated[
        bool, typer.Option("--create-pr", help="Open a pull request in place of a push.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go up, and send nothing.")
    ] = False,
) -> None:
    """Push the builds of DIR and their card to the Hub, as the account that is logged in.

    Sends what is not there yet; run again it goes on where it stopped. Other configs of the
    repository stay, and the card describes them too.
    """
    from huggingface_hub.utils.tqdm import disable_progress_bars

    from jax_ir_pairs.cli.push_view import PushProgress, heading, outcome, say, table
    from jax_ir_pairs.hub.push import push
    from jax_ir_pairs.hub.push_plan import make_plan
    from jax_ir_pairs.hub.remote import open_hub

    disable_progress_bars()  # of each file: ours is of them all
    hub = open_hub(repository, revision)
    plan = make_plan(folder, hub, private=private, create_pr=create_pr)
    console = Console()
    console.print(table(plan))
    say(console, "", *heading(hub, plan))
    if dry_run:
        say(console, "Nothing was sent: this was a dry run.")
        return
    try:
        with PushProgress(plan, Console(stderr=True)) as progress:
            pushed = push(hub, plan, progress)
    except KeyboardInterrupt as interrupt:
        fail_interrupted(
            interrupt, f"nothing half done shows in {repository}; the same command goes on."
        )
    say(console, *outcome(hub, plan, pushed))
