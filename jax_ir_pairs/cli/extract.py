"""The command that shows what the compiler makes of a function of the user's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from jax_ir_pairs.cli.browse import Html, Port, show_page
from jax_ir_pairs.cli.errors import fail
from jax_ir_pairs.errors import Rejected, UsageError

if TYPE_CHECKING:
    from jax_ir_pairs.config import Limits
    from jax_ir_pairs.extraction import Extraction
    from jax_ir_pairs.extraction.user_function import Argument
    from jax_ir_pairs.synthesis.functions import Module


def extract(
    file: Annotated[
        str, typer.Argument(metavar="FILE.py[:FUNCTION]", help="File, and the function in it.")
    ],
    input: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]VALUE",
            help="One argument, in order, or by NAME: an aval such as f32[8,16] or a JSON tree of "
            "avals; any other JSON value, such as 3, true, [2, 3] or '\"relu\"', is static. "
            "[the first example_inputs]",
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="Compile for this one too; see `jax-ir-pairs targets`."),
    ] = None,
    level: Annotated[
        list[str] | None, typer.Option(help="Level to give; can be given several times. [all]")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, with every text whole.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write each level to a file of its own.")
    ] = None,
    browse: Annotated[
        bool, typer.Option("--browse", help="Serve it as a page, as the command browse does.")
    ] = False,
    html: Html = None,
    port: Port = None,
    lines: Annotated[int, typer.Option(min=1, help="Longest text shown, in lines.")] = 40,
    full: Annotated[bool, typer.Option("--full", help="Show texts whole.")] = False,
    seconds: Annotated[
        float, typer.Option(min=1, max=3600, help="Longest time, for each target.")
    ] = 120.0,
    memory: Annotated[
        float, typer.Option(min=1, max=1024, help="Most memory of the process, in GiB.")
    ] = 8.0,
) -> None:
    """Show a function of your own at every level, traced and compiled in a process of its own."""
    from jax_ir_pairs.cli import extraction_view as view
    from jax_ir_pairs.cli.arguments import check_names, parse_argument
    from jax_ir_pairs.config import Limits
    from jax_ir_pairs.synthesis.functions import read_module, read_source
    from jax_ir_pairs.targets import known_targets

    path, name = _split(file)
    levels = view.check_levels(level or ())
    targets = known_targets(target or ())
    asked = {"--json": as_json, "--out": out, "--browse": browse, "--html": html}
    if len(ways := [name for name, given in asked.items() if given]) > 1:
        raise UsageError(f"{' and '.join(ways)} are different ways to show it; give one of them.")
    if port is not None and not browse:
        raise UsageError("--port is for --browse, which serves a page.")
    if level and (browse or html):
        raise UsageError("--level is not for a page, which has all levels.")
    module = read_module(read_source(path), str(path))
    name = name or _only_function(module)
    arguments = list(map(parse_argument, input or ()))
    check_names(arguments)
    arguments = _checked(module, name, arguments)
    limits = Limits(seconds=seconds, memory_gib=memory)
    found = _extract(path, module.source, name, arguments, limits, targets)
    if as_json:
        print(json.dumps(view.as_object(found, levels)))
    elif out is not None:
        for written in view.write(found, levels, out, name):
            print(written)
    elif browse or html is not None:
        from jax_ir_pairs.browse.extracted import extracted_rows

        title = view.call(name, arguments)
        show_page(extracted_rows(found, module.source, name, title), port, html)
    else:
        title = view.call(name, arguments)
        view.show(Console(), title, found, levels, None if full else lines)


def _split(text: str) -> tuple[Path, str | None]:
    """Parts the file from the function, after the last colon that is followed by a name."""
    file, colon, name = text.rpartition(":")
    if colon and name.isidentifier() and not Path(text).exists():
        return Path(file), name
    return Path(text), None


def _only_function(module: Module) -> str:
    names = list(module.functions)
    if len(names) == 1:
        return names[0]
    there = f"one of {', '.join(names)}" if names else "a function that it gets in another way"
    raise UsageError(
        f"{module.file}: has {len(names) or 'no'} public functions; say which: "
        f"{module.file}:FUNCTION, with {there}."
    )


def _checked(module: Module, name: str, arguments: list[Argument]) -> list[Argument]:
    """Gives the arguments, or else those of the function's first example.

    A function that is made in another way than by `def` shows only once it is called whether they
    fit.
    """
    from jax_ir_pairs.extraction.user_function import Argument

    function = module.functions.get(name)
    if function is None:
        if not {name, "*"} & module.names:
            names = ", ".join(module.functions) or "none"
            raise UsageError(f"{module.file}: has no {name!r}; its public functions are {names}.")
        return arguments
    if not arguments and function.examples:
        return [Argument(tree) for tree in function.examples[0]]
    given = sum(argument.name is None for argument in arguments)
    if problem := function.misfit(given, [a.name for a in arguments if a.name is not None]):
        raise UsageError(f"{problem}: give an --input for each argument, such as f32[8,16].")
    return arguments


def _extract(
    path: Path,
    source: str,
    name: str,
    arguments: list[Argument],
    limits: Limits,
    targets: Sequence[str],
) -> Extraction:
    from jax_ir_pairs.extraction import ExtractionProcess
    from jax_ir_pairs.extraction.user_function import UserFunction

    waiting = Console(stderr=True).status("tracing and compiling")
    function = UserFunction.of(source, name, arguments, str(path.resolve()))
    try:
        with ExtractionProcess(limits, targets) as process, waiting:
            return process.extract(function)
    except Rejected as rejected:
        fail(_sentence(f"{path}:{name}", rejected, limits), 1)


def _sentence(what: str, rejected: Rejected, limits: Limits) -> str:
    match rejected.reason:
        case "trace-error":
            return f"{what} does not trace:\n\n{rejected.detail}"
        case "compiler-error":
            return f"{what} traces, and does not compile:\n\n{rejected.detail}"
        case "timeout":
            return f"error: {what}: {rejected.detail}; --seconds gives it more."
        case "out-of-memory":
            return (
                f"error: {what}: needs more than the {limits.memory_gib:g} GiB that --memory "
                f"gives it ({rejected.detail})."
            )
        case _:
            return f"error: {what}: its process died: {rejected.detail}."
