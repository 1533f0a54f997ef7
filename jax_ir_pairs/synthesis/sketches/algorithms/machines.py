"""Automata, board games and grids of cells."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, one_of, size, sketch


@sketch(
    takes={"inputs": "tokens i[b, t]"},
    gives=("i[b]: final", "mask bool[b]: accepted", "i[b, t]: visited"),
    sizes={"b": (1, 64), "t": (4, 128)},
    dtypes="f32 f64",
    also=("Run a deterministic automaton over a batch of words.",),
)
def finite_state_machine(inputs, *, start=0):
    """Step a finite-state machine through token sequences."""
    batch, seq_len = inputs.shape
    # Row: state, column: input symbol.
    transitions = jnp.array(
        one_of(
            [[0, 1, 0, 2], [1, 2, 0, 1], [2, 2, 3, 0], [3, 0, 1, 3]],
            [[1, 0, 2, 0], [1, 2, 1, 0], [2, 3, 0, 1], [3, 3, 3, 3]],
            [[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]],
        )
    )
    accepting = jnp.array(one_of([0, 3], [3], [1, 2]))
    if maybe("compose", 0.35):
        # Each symbol is a map of states; maps compose associatively.
        maps = transitions.T[inputs]

        def compose(first, second):
            return jnp.take_along_axis(second, first, axis=-1)

        prefix = jax.lax.associative_scan(compose, maps, axis=1)
        visited = prefix[:, :, start]
    else:

        def step(states, symbols):
            states = transitions[states, symbols]
            return states, states

        _, visited = jax.lax.scan(step, jnp.full(batch, start), inputs.T)
        visited = visited.T
    final = visited[:, seq_len - 1]
    accepted = one_of(
        jnp.any(final[:, None] == accepting[None, :], axis=1), jnp.isin(final, accepting)
    )
    return final, accepted, visited


@sketch(
    takes={"cells": "mask bool[n]"},
    gives="mask bool[s, n]: history",
    sizes={"n": (8, 512), "s": (2, 32)},
    dtypes="f32 f64",
    also=("Unfold an elementary cellular automaton in time.",),
)
def elementary_automaton(cells, num_steps=size("s"), rule=one_of(30, 90, 110, 184)):
    """Evolve a row of cells by one of Wolfram's rules."""
    if not 0 <= rule < 256:
        raise ValueError(f"there are 256 rules, and {rule} is none")
    table = jnp.array([(rule >> pattern) & 1 for pattern in range(8)], dtype=bool)

    def evolve(row, _):
        left, right = jnp.roll(row, 1), jnp.roll(row, -1)
        if maybe("closed ends", 0.4):
            left, right = left.at[0].set(False), right.at[-1].set(False)
        pattern = 4 * left.astype(int) + 2 * row.astype(int) + right.astype(int)
        return table[pattern], row

    if maybe("unrolled", 0.25):
        rows = [cells]
        for _ in range(num_steps - 1):
            following, _ = evolve(rows[-1], None)
            rows.append(following)
        return jnp.stack(rows)
    _, history = jax.lax.scan(evolve, cells, length=num_steps)
    return history


class BoardVerdict(NamedTuple):
    """What a referee says about a position."""

    winner: jax.Array
    is_full: jax.Array
    threats: jax.Array


@sketch(
    takes={"boards": "i[b, r, k]: 0 empty, 1 and 2 the players"},
    gives=("i[b]: winner", "mask bool[b]: is_full", "tally i[b]: threats"),
    sizes={"b": (1, 128), "r": (4, 7), "k": (4, 8)},
    dtypes="f32 f64",
    also=("Judge positions of a game of four in a row.",),
)
def four_in_a_row(boards, run=one_of(3, 4)):
    """Look for complete lines on a batch of boards."""
    _, num_rows, num_cols = boards.shape
    if run > min(num_rows, num_cols):
        raise ValueError(f"no line of {run} fits a board of {num_rows} x {num_cols}")

    if maybe("convolution"):
        kernels = [jnp.ones((1, run)), jnp.ones((run, 1)), jnp.eye(run), jnp.eye(run)[::-1]]

        def lines_of(stones):
            images = stones.astype(jnp.float32)[:, None]
            for kernel in kernels:
                found = jax.lax.conv_general_dilated(images, kernel[None, None], (1, 1), "VALID")
                yield found[:, 0]

    else:

        def lines_of(stones):
            """Stones in each window of `run` cells, in four directions."""
            for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
                turned = stones[:, :, ::-1] if dx < 0 else stones
                height = num_rows - dy * (run - 1)
                width = num_cols - abs(dx) * (run - 1)
                yield sum(
                    turned[:, i * dy : i * dy + height, i * abs(dx) : i * abs(dx) + width]
                    for i in range(run)
                )

    wins, threats = [], jnp.zeros(boards.shape[0], int)
    for player in (1, 2):
        stones = (boards == player).astype(int)
        complete = jnp.zeros(boards.shape[0], bool)
        for counts in lines_of(stones):
            complete = complete | jnp.any(counts == run, axis=(1, 2))
            if maybe("threats"):
                threats = threats + jnp.sum(counts == run - 1, axis=(1, 2))
            else:
                threats = threats + jnp.sum(counts >= run - 1, axis=(1, 2))
        wins.append(complete)
    first, second = wins
    winner = one_of(
        jnp.where(first & ~second, 1, jnp.where(second & ~first, 2, 0)),
        jnp.select([first & ~second, second & ~first], [1, 2], 0),
        (first & ~second) + 2 * (second & ~first).astype(int),
    )
    return BoardVerdict(winner, jnp.all(boards > 0, axis=(1, 2)), threats)


@sketch(
    takes={"walls": "mask bool[y, x]"},
    gives=("i[y, x]: distance", "i[]: reachable"),
    sizes={"y": (3, 32), "x": (3, 32)},
    dtypes="f32 f64",
    also=("Flood a maze from its corner, one layer at a time.",),
)
def maze_distances(walls, max_steps=integer(8, 40), diagonal=one_of(False, True)):
    """Search a grid breadth first for the number of steps to each cell."""
    height, width = walls.shape
    unreached = height * width
    free = ~walls
    moves = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    if diagonal:
        moves += [(1, 1), (1, -1), (-1, 1), (-1, -1)]

    def grow(reached):
        padded = jnp.pad(reached, 1)
        grown = reached
        for dy, dx in moves:
            grown = grown | padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        return grown & free

    start = jnp.zeros_like(walls).at[0, 0].set(True)
    if maybe("while"):

        def growing(state):
            _, _, step, changed = state
            return changed & (step < max_steps)

        def expand(state):
            reached, distance, step, _ = state
            grown = grow(reached)
            fresh = grown & ~reached
            distance = jnp.where(fresh, step + 1, distance)
            return reached | grown, distance, step + 1, jnp.any(fresh)

        state = (start, jnp.where(start, 0, unreached), 0, True)
        _, distance, _, _ = jax.lax.while_loop(growing, expand, state)
    else:

        def relax(_, distance):
            padded = jnp.pad(distance, 1, constant_values=unreached)
            best = distance
            for dy, dx in moves:
                shifted = padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
                best = jnp.minimum(best, shifted + 1)
            return jnp.where(free | start, best, unreached)

        distance = jax.lax.fori_loop(0, max_steps, relax, jnp.where(start, 0, unreached))
    reachable = jnp.sum(distance < unreached)
    if maybe("mark walls"):
        distance = jnp.where(distance < unreached, distance, -1)
    return distance, reachable


@sketch(
    takes={"program": "tokens i[n]: 0 push, 1 add, 2 double, 3 drop", "operands": "i[n]"},
    gives=("i[k]: stack", "i[]: depth"),
    sizes={"n": (4, 256), "k": (4, 16)},
    dtypes="f32 f64",
    also=("Execute the instructions of a small stack machine.",),
)
def stack_machine(program, operands, stack_size=size("k"), modulus=one_of(97, 1000)):
    """Interpret a program for a stack machine with four instructions."""
    if program.shape != operands.shape:
        raise ValueError(f"{program.shape[0]} instructions, {operands.shape[0]} operands")

    def push(stack, depth, operand):
        place = jnp.minimum(depth, stack_size - 1)
        return stack.at[place].set(operand), jnp.minimum(depth + 1, stack_size)

    def add(stack, depth, operand):
        top, below = jnp.maximum(depth - 1, 0), jnp.maximum(depth - 2, 0)
        total = (stack[top] + stack[below] + operand) % modulus
        shrunk = jnp.where(depth > 1, depth - 1, depth)
        return stack.at[below].set(jnp.where(depth > 0, total, stack[below])), shrunk

    def double(stack, depth, operand):
        top = jnp.maximum(depth - 1, 0)
        return stack.at[top].set((2 * stack[top] + operand) % modulus), depth

    def drop(stack, depth, operand):
        return stack, jnp.maximum(depth - 1, 0)

    def execute(machine, instruction):
        opcode, operand = instruction
        stack, depth = machine
        if maybe("switch"):
            machine = jax.lax.switch(opcode, [push, add, double, drop], stack, depth, operand)
        elif maybe("tree select"):
            # All of them, and then the one that counts.
            outcomes = [op(stack, depth, operand) for op in (push, add, double, drop)]
            machine = jax.tree.map(lambda *parts: jnp.stack(parts)[opcode], *outcomes)
        else:
            outcomes = [op(stack, depth, operand) for op in (push, add, double, drop)]
            stacks, depths = (jnp.stack(parts) for parts in zip(*outcomes))
            machine = (stacks[opcode], depths[opcode])
        return machine, None

    machine = (jnp.zeros(stack_size, operands.dtype), jnp.zeros((), operands.dtype))
    (stack, depth), _ = jax.lax.scan(execute, machine, (program, operands))
    if maybe("clear above", 0.4):
        stack = jnp.where(jnp.arange(stack_size) < depth, stack, 0)
    return stack, depth
