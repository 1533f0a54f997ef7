"""Reinforcement learning: policy gradients, temporal differences, advantages, PPO."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs.layers import dense, losses, models
from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.constructs.layers.tasks import Task
from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.growth import Mix
from jax_ir_pairs.synthesis.ops.indexing import part_of
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval

_FLOATS = (-4.0, 4.0)
_RETURNS = (-100.0, 100.0)


def _picked(net: Net, values: Var, actions: Var) -> Var:
    """Gives the value of the action that was taken in each row."""
    if net.chance(0.5):
        hot = net.let("one_hot", actions, num_classes=values.aval.shape[-1])
        return net.let("sum", net.let("mul", values, hot), axis=-1)
    column = part_of(net.scope, actions, slice(None), None)
    found = net.let("take_along_axis", values, column, axis=-1)
    return net.let("squeeze", found, axis=1)


def _log_prob(net: Net, logits: Var, actions: Var) -> tuple[Var, Var]:
    log_probs = net.let("log_softmax", logits, axis=-1, role="log_probs")
    return _picked(net, log_probs, actions), log_probs


def _entropy(net: Net, log_probs: Var) -> Var:
    probs = net.sure("exp", log_probs, bounds=(0, 1))
    total = net.let("sum", net.let("mul", probs, log_probs), axis=-1)
    return net.let("negative", net.let("mean", total), role="entropy")


def discounted(net: Net, rewards: Var) -> Var:
    """Gives the discounted returns of rewards, by a scan from the end."""
    gamma = Literal(net.stream.choice((0.9, 0.95, 0.99)))

    def build(inner: Net, rewards: Var) -> Var:
        scalar = Aval(inner.dtype)
        after, reward = Var(scalar, _RETURNS, "g"), Var(scalar, _FLOATS, "r")
        body = Net(inner.scope.nested([after, reward]), inner.dtype)
        new = body.sure("add", reward, body.let("mul", gamma, after), bounds=_RETURNS)
        step = body.scope.close("step", (new, new))
        last, found = Var(scalar, _RETURNS), Var(rewards.type, _RETURNS, "returns")
        inner.scope.bind("scan", (step, Literal(0.0), rewards), {"reverse": True}, (last, found))
        inner.scope.unused.pop(last, None)
        return found

    out: Var = net.call(net.stream.choice(("discounted_returns", "returns_to_go")), build,
                        rewards=rewards)  # fmt: skip
    return out


def advantages(net: Net, rewards: Var, values: Var) -> Var:
    """Generalized advantage estimation: deltas, and a scan over them from the end."""
    gamma, factor = net.stream.choice((0.95, 0.99)), net.stream.choice((0.9, 0.95))

    def build(inner: Net, rewards: Var, values: Var) -> Var:
        now = part_of(inner.scope, values, slice(None, -1))
        later = part_of(inner.scope, values, slice(1, None))
        target = inner.let("add", rewards, inner.let("mul", Literal(gamma), later))
        deltas = inner.let("sub", target, now, role="deltas")
        scalar = Aval(inner.dtype)
        after, delta = Var(scalar, _RETURNS, "gae"), Var(scalar, deltas.bounds, "delta")
        body = Net(inner.scope.nested([after, delta]), inner.dtype)
        decayed = body.let("mul", Literal(round(gamma * factor, 4)), after)
        new = body.sure("add", delta, decayed, bounds=_RETURNS)
        step = body.scope.close("step", (new, new))
        last, found = Var(scalar, _RETURNS), Var(rewards.type, _RETURNS, "advantages")
        inner.scope.bind("scan", (step, Literal(0.0), deltas), {"reverse": True}, (last, found))
        inner.scope.unused.pop(last, None)
        return found

    out: Var = net.call(net.stream.choice(("compute_gae", "gae")), build, rewards=rewards,
                        values=values)  # fmt: skip
    return out


def _standardized(net: Net, x: Var) -> Var:
    centered = net.let("sub", x, net.let("mean", x))
    below = net.let("add", net.sure("std", x, bounds=(0.1, 50.0)), Literal(1e-6))
    return net.sure("div", centered, below, bounds=(-8.0, 8.0), role="adv")


def _trunk(net: Net, obs: Var, outputs: int, budget: int, role: str) -> Var:
    def build(inner: Net, obs: Var) -> Var:
        h = models.tower(inner, obs, models.KINDS[0], budget)
        return dense.linear(inner, h, outputs, "w_out")

    out: Var = net.call(role, build, obs=obs)
    return out


def policy(scope: Scope, budget: int, mix: Mix) -> Task:
    """A policy gradient with returns or with advantages of a critic; PPO's clipped objective."""
    stream, dtype = scope.stream, scope.float_dtype
    time, inside, count = (
        stream.choice((8, 12, 16)),
        min(16, scope.side()),
        stream.choice((4, 5, 6)),
    )
    way = stream.choice(("reinforce", "actor_critic", "ppo", "ppo"))
    clip = stream.choice((0.1, 0.2))
    inputs = {
        "obs": (Aval(dtype, (time, inside)), _FLOATS),
        "actions": (Aval("i32", (time,)), (0.0, 3.0)),
        "rewards": (Aval(dtype, (time,)), _FLOATS),
    }
    if way == "ppo":
        inputs["old_log_probs"] = (Aval(dtype, (time,)), _FLOATS)

    def build(
        net: Net, obs: Var, actions: Var, rewards: Var, old_log_probs: Var | None = None
    ) -> Var:
        logits = _trunk(net, obs, count, max(2, budget // 2), "policy")
        log_prob, log_probs = _log_prob(net, logits, actions)
        if way == "reinforce":
            returns = _standardized(net, discounted(net, rewards))
            weighted = net.let("mul", log_prob, net.let("stop_gradient", returns))
            return net.let("negative", net.let("mean", weighted))
        values = _trunk(net, obs, 1, max(2, budget // 3), "critic")
        values = net.let("squeeze", values, axis=1, role="values")
        padded = net.let("pad", values, pad_width=((0, 1),))
        adv = advantages(net, rewards, net.let("stop_gradient", padded))
        returns = net.let("add", adv, net.let("stop_gradient", values), role="returns")
        adv = _standardized(net, adv)
        if old_log_probs is None:
            gain = net.let("mul", log_prob, adv)
        else:
            change = net.let("clip", net.let("sub", log_prob, old_log_probs), low=-5.0, high=5.0)
            ratio = net.sure("exp", change, bounds=(0.0, 148.0), role="ratio")
            held = net.let("clip", ratio, low=1.0 - clip, high=1.0 + clip)
            gain = net.let("minimum", net.let("mul", ratio, adv), net.let("mul", held, adv))
        actor = net.let("negative", net.let("mean", gain), role="policy_loss")
        critic = losses.regress(net, values, returns, net.stream.choice(("square", "huber")))
        total = net.let("add", actor, net.let("mul", Literal(0.5), critic))
        if net.chance(0.7):
            bonus = net.let("mul", Literal(0.01), _entropy(net, log_probs))
            total = net.let("sub", total, bonus)
        return total

    return Task(inputs, build, dtype, stream.choice(("loss_fn", f"{way}_loss")))


def temporal(scope: Scope, budget: int, mix: Mix) -> Task:
    """Q-learning: the error against a target network, or against the same one held fixed."""
    stream, dtype = scope.stream, scope.float_dtype
    batch, inside, count = (
        stream.choice((4, 8, 16)),
        min(16, scope.side()),
        stream.choice((4, 5, 6)),
    )
    gamma, double = stream.choice((0.9, 0.99)), stream.chance(0.4)
    obs = (Aval(dtype, (batch, inside)), _FLOATS)
    inputs = {
        "obs": obs,
        "actions": (Aval("i32", (batch,)), (0.0, 3.0)),
        "rewards": (Aval(dtype, (batch,)), _FLOATS),
        "next_obs": obs,
    }

    def network(inner: Net, obs: Var) -> Var:
        h = models.tower(inner, obs, models.KINDS[0], max(2, budget // 2))
        if not double:
            return dense.linear(inner, h, count, "w_q")
        # A dueling head: the value of the state, and what each action adds to it.
        value, gain = dense.linear(inner, h, 1, "w_v"), dense.linear(inner, h, count, "w_a")
        centered = inner.let("sub", gain, inner.let("mean", gain, axis=-1, keepdims=True))
        return inner.let("add", value, centered)

    def build(net: Net, obs: Var, actions: Var, rewards: Var, next_obs: Var) -> Var:
        block = net.define("q_network", network, obs=obs)
        assert block.weights is not None
        own = net.weights.new("q", block.weights)
        target = net.weights.new("target", block.weights) if net.chance(0.4) else own
        q = _picked(net, net.apply(block, own, obs), actions)
        best = net.let("max", net.apply(block, target, next_obs), axis=-1)
        goal = net.let("add", rewards, net.let("mul", Literal(gamma), best))
        goal = net.let("stop_gradient", goal, role="target")
        return losses.regress(net, q, goal, net.stream.choice(("square", "huber")))

    return Task(inputs, build, dtype, stream.choice(("loss_fn", "td_loss", "q_loss")))
