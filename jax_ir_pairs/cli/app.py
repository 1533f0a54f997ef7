"""The commands. Each imports what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from jax_ir_pairs.cli.browse import browse
from jax_ir_pairs.cli.engines import EngineName, asked_engine
from jax_ir_pairs.cli.errors import Commands, fail_interrupted
from jax_ir_pairs.cli.extract import extract
from jax_ir_pairs.cli.inspection import Folder, coverage, near_duplicates, show, stats
from jax_ir_pairs.cli.locations import Location, parse_location
from jax_ir_pairs.cli.push import push
from jax_ir_pairs.cli.score import score
from jax_ir_pairs.cli.signals import drop_unwritten, open_standard_files, raise_when_ended
from jax_ir_pairs.cli.verify import verify
from jax_ir_pairs.errors import UsageError

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Runs the command line."""
    open_standard_files()
    raise_when_ended()
    try:
        app(prog_name="jax-ir-pairs")
    finally:
        drop_unwritten()


def _version(asked: bool) -> None:
    if asked:
        import jax_ir_pairs

        print(f"jax-ir-pairs {jax_ir_pairs.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Synthesize JAX programs at every level of the compiler, as Hugging Face datasets."""


@app.command()
def configs() -> None:
    """List the configs that can be built."""
    from jax_ir_pairs.config import config_names, load_config
    from jax_ir_pairs.schema import SPLITS

    configs = [load_config(name) for name in config_names()]
    table = Table("config", *SPLITS, "shards", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    mixes: dict[str, list[str]] = {}
    for config in configs:
        table.add_row(
            config.name,
            *(f"{rows:,}" if (rows := config.splits.rows(split)) else "–" for split in SPLITS),
            f"{sum(config.num_shards(split) for split in SPLITS):,}",
        )
        kinds = {"sketches": config.recipe.sketches, "families": config.recipe.families}
        mix = "; ".join(
            f"{kind}: {', '.join(f'{name} {weight:g}' for name, weight in weights.items())}"
            for kind, weights in kinds.items()
            if weights
        )
        mixes.setdefault(f"{mix}; target {', '.join(config.targets)}", []).append(config.name)
    console = Console()
    console.print(table)
    console.print("", *(f"{config.name}: {config.description}" for config in configs), sep="\n")
    for mix, names in mixes.items():
        console.print(
            f"\nThemes of sketches, families, and their weights in {', '.join(names)}:\n  {mix}"
        )


@app.command()
def targets() -> None:
    """List what this installation can compile for, and what the rest needs."""
    from rich.markup import escape

    from jax_ir_pairs.targets import TARGETS, versions

    table = Table("target", "installed", "with", box=None)
    for target in TARGETS.values():
        missing = target.missing()
        found = ", ".join(f"{name} {version}" for name, version in versions([target.name]).items())
        install = escape(f"pip install 'jax-ir-pairs[{target.platform}]'")
        table.add_row(
            target.name, "no" if missing else "yes", install if missing else found or "jaxlib"
        )
    Console(width=max(Console().width, 160)).print(table)


def _parse_shards(text: str) -> range:
    first, colon, end = text.partition(":")
    if not (colon and first.isdigit() and end.isdigit() and int(first) < int(end)):
        raise UsageError(f"--shards {text!r}: must be FIRST:END, such as 0:10 for the first ten.")
    return range(int(first), int(end))


@app.command()
def build(
    out: Annotated[
        Location,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            parser=parse_location,
            help="Dataset folder to build in, or a URL, such as s3://bucket/out.",
        ),
    ],
    config: Annotated[
        str | None,
        typer.Argument(metavar="CONFIG", help="Name of a config, or path of a YAML file."),
    ] = None,
    functions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.py", help="Build the functions of this file that have example_inputs."
        ),
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="With --functions: compile for this one too.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", "-w", help="Processes that compile. [all cores]"),
    ] = None,
    shards: Annotated[
        str | None, typer.Option(metavar="A:B", help="Build only these shards.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed instead of the config's.")] = None,
    engine: Annotated[
        EngineName, typer.Option(help="Where shards are made; ray needs the extra of that name.")
    ] = EngineName.LOCAL,
    address: Annotated[
        str | None,
        typer.Option(help="With --engine ray: the cluster's. [$RAY_ADDRESS, or one of its own]"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Delete another build of this config in DIR first.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make again what is broken there, and only that.")
    ] = False,
) -> None:
    """Build a config into a folder that load_dataset reads and that can go to the Hub.

    Run again it goes on where it stopped, and leaves alone what is whole.
    """
    from jax_ir_pairs.build import all_shards
    from jax_ir_pairs.build import build as run_build
    from jax_ir_pairs.cli.functions import FunctionRejections, asked_config
    from jax_ir_pairs.cli.progress import BuildProgress
    from jax_ir_pairs.cli.summary import summary

    loaded = asked_config(config, functions, target or (), seed)
    wanted = None if shards is None else _parse_shards(shards)
    every = all_shards(loaded)
    selected = every if wanted is None else every[wanted.start : wanted.stop]
    progress = BuildProgress(loaded, selected, Console(stderr=True))
    rejections = FunctionRejections(loaded, functions, out)
    try:
        with progress, rejections, asked_engine(engine, address, workers) as (placing, number):
            report = run_build(
                loaded,
                out,
                engine=placing,
                workers=number,
                shards=wanted,
                force=force,
                repair=repair,
                on_event=rejections.listening(progress),
            )
    except KeyboardInterrupt as interrupt:
        whole = len(progress.tally.whole_shards)
        fail_interrupted(
            interrupt,
            f"{whole:,} of {len(selected):,} shards are whole and kept "
            f"in {out / loaded.name}; the same command goes on from there.",
        )
    if report.sealed:
        from jax_ir_pairs.hub.card import write_card

        write_card(out)
    done = summary(report, progress.tally, loaded, out, number, rejections.lines())
    Console().print(done, soft_wrap=True)


@app.command()
def seal(
    folder: Annotated[
        Location,
        typer.Argument(
            metavar="DIR", parser=parse_location, help="Folder of a config that `build` made."
        ),
    ],
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=1, help="Processes that replace duplicates.")
    ] = 1,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make again what is broken there, and only that.")
    ] = False,
) -> None:
    """Seal a build whose shards were made with --shards, and write the card.

    Fails where shards are missing, and names them. A sealed build stays as it is.
    """
    from jax_ir_pairs.build import Folder as BuildFolder
    from jax_ir_pairs.build import all_shards, ordered_config
    from jax_ir_pairs.build import seal as run_seal
    from jax_ir_pairs.cli.progress import BuildProgress
    from jax_ir_pairs.cli.summary import summary
    from jax_ir_pairs.hub.card import write_card

    config = ordered_config(BuildFolder(folder))
    progress = BuildProgress(config, all_shards(config), Console(stderr=True))
    with progress:
        report = run_seal(folder, workers=workers, repair=repair, on_event=progress)
    out = folder.resolve().parent
    write_card(out)
    Console().print(summary(report, progress.tally, config, out, workers), soft_wrap=True)


app.command()(extract)
app.command()(score)
app.command()(verify)
app.command()(show)
app.command()(browse)
app.command()(stats)
app.command()(coverage)
app.command("near-duplicates")(near_duplicates)


@app.command()
def card(
    folder: Folder,
    analyze: Annotated[
        bool,
        typer.Option(
            "--analyze", help="Count statistics, coverage and near-duplicates for it first."
        ),
    ] = False,
) -> None:
    """Write the dataset card DIR/README.md again, with plots and counts where --analyze made them.

    Near-duplicates and plots need the extras of those names.
    """
    from jax_ir_pairs.hub.card import write_card

    if analyze:
        from jax_ir_pairs.inspect.analysis import analyze as count

        if not isinstance(folder, Path):
            raise UsageError(f"--analyze draws into a folder of this machine; copy {folder} there.")
        count(folder, Console(stderr=True).print)
    print(write_card(folder))


app.command()(push)


@app.command()
def register(
    remove: Annotated[bool, typer.Option("--remove", help="Take it out again.")] = False,
) -> None:
    """Let load_dataset run builder scripts in this environment without an import.

    Writes one small .pth file into the environment; datasets 3.6 does not need it.
    """
    from jax_ir_pairs.hub import startup

    if remove:
        path = startup.unregister()
        print(f"Removed {path}." if path else "This environment is not registered.")
    else:
        print(f"Wrote {startup.register()}; `jax-ir-pairs register --remove` deletes it.")
