"""The entry point of a program of several steps."""

from __future__ import annotations

from jax_ir_pairs.synthesis.render.layout import statement
from jax_ir_pairs.synthesis.sketching.hand import Hand
from jax_ir_pairs.synthesis.sketching.remarks import kind
from jax_ir_pairs.synthesis.sketching.stories import KEY, Story

_LONGEST_PURPOSE = 90


def parameters_of(story: Story) -> list[str]:
    """Gives the names of the parameters: a key comes first."""
    return [*([KEY] if story.num_keys else []), *(value.name for value in story.inputs)]


def entry_point(hand: Hand, story: Story) -> tuple[str, list[str], str]:
    """Gives the name, the lines and the purpose of the entry point."""
    stream, style = hand.stream, hand.style
    name = _name(hand, story)
    purpose = _joined([stream.choice(step.sketch.purposes) for step in story.steps])
    parameters = parameters_of(story)
    if (hints := style.hints) is not None:
        said = {value.name: kind(value.type, hints, hints.array) for value in story.inputs}
        said[KEY] = hints.array
        parameters = [f"{p}: {said[p]}" if said.get(p) else p for p in parameters]
    lines = ["@jax.jit"] if style.jitted else []
    lines += statement(f"def {name}", f"({', '.join(parameters)})", 0, ":")
    if style.docs != "none":
        lines.append(f'    """{purpose}"""')
    return name, [*lines, *_body(hand, story)], purpose


def _body(hand: Hand, story: Story) -> list[str]:
    keys, lines = _keys(story.num_keys)
    returned, last = story.returned, story.steps[-1]
    for step in story.steps:
        arguments = ", ".join(keys.get(argument, argument) for argument in step.arguments)
        is_result = step is last and returned == list(step.results)
        prefix = "return " if is_result else f"{', '.join(step.results)} = "
        lines += statement(prefix, f"{hand.function(step.sketch.name)}({arguments})", 4)
    if returned != list(last.results):
        text = ", ".join(returned)
        if len(returned) > 1 and hand.stream.chance(0.4):
            text = "{" + ", ".join(f'"{name}": {name}' for name in returned) + "}"
        lines += statement("return ", text, 4)
    return lines


def _keys(number: int) -> tuple[dict[str, str], list[str]]:
    """Gives what stands for each key that a step takes, and the lines that make them."""
    if number < 2:
        return {f"{KEY} 0": KEY}, []
    if number == 2:
        return {f"{KEY} 0": KEY, f"{KEY} 1": "subkey"}, ["    key, subkey = jax.random.split(key)"]
    keys = {f"{KEY} {n}": f"keys[{n}]" for n in range(number)}
    return keys, [f"    keys = jax.random.split(key, {number})"]


def _name(hand: Hand, story: Story) -> str:
    """Gives a name after what the entry point takes, does or gives."""
    first, last = story.steps[0].sketch, story.steps[-1].sketch
    result = story.returned[-1] if story.returned else last.name
    given = parameters_of(story)[0]
    taken = {item.name for item in hand.drawing.order} | {value.name for value in story.values}
    candidates = (
        f"compute_{result}", f"{result}_from_{given}", f"{last.name}_of_{given}",
        f"evaluate_{result}", f"{first.name}_then_{last.name}", f"process_{given}", "run",
    )  # fmt: skip
    free = [name for name in candidates if name not in taken and len(name) < 40]
    return hand.stream.choice(free or [f"run_{last.name}"])


def _joined(purposes: list[str]) -> str:
    """Gives one sentence for several purposes, or that of the last step where it would be long."""
    plain = [purposes[0].rstrip("."), *(p[0].lower() + p[1:].rstrip(".") for p in purposes[1:])]
    for parts in (plain, [plain[0], plain[-1]]):
        text = f"{', '.join(parts[:-1])} and {parts[-1]}."
        if len(text) <= _LONGEST_PURPOSE:
            return text
    return purposes[-1]
