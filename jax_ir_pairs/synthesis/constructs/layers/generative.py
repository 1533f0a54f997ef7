"""Generative models: variational autoencoders, diffusion and flow matching, adversaries."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs.layers import convolution, dense, losses, models, positions
from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.constructs.layers.tasks import Task
from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.growth import Mix
from jax_ir_pairs.synthesis.ops.indexing import part_of
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import KEY, Aval

_FLOATS = (-4.0, 4.0)
_KEY = (Aval(KEY[0]), _FLOATS)


def _noise(net: Net, key: Var, x: Var, role: str) -> Var:
    if net.dtype == net.scope.float_dtype and net.chance(0.7):
        return net.scope.let("random_normal_shaped", key, x, role=role)
    return net.scope.let("random_normal_like", key, x, role=role)


def autoencoder(scope: Scope, budget: int, mix: Mix) -> Task:
    """A variational autoencoder: the reconstruction and the divergence of its code."""
    stream, dtype = scope.stream, scope.float_dtype
    batch, inside, latent = (
        stream.choice((4, 8, 16)),
        min(64, scope.side()),
        stream.choice((2, 4, 8)),
    )
    beta, bits = stream.choice((1.0, 0.1, 4.0)), stream.chance(0.3)

    def encode(net: Net, x: Var) -> tuple[Var, Var]:
        h = models.tower(net, x, models.KINDS[0], max(2, budget // 3))
        if net.chance(0.5):
            both = dense.linear(net, h, 2 * latent, "w_latent")
            mean, log_var = net.scope.let_all("split", both, sections=2, axis=-1,
                                              roles=("mean", "logvar"))  # fmt: skip
        else:
            mean = dense.linear(net, h, latent, "w_mean")
            log_var = dense.linear(net, h, latent, "w_logvar")
        return mean, net.let("clip", log_var, low=-8.0, high=4.0, role="logvar")

    def sample(net: Net, key: Var, mean: Var, logvar: Var) -> Var:
        half = net.let("mul", Literal(0.5), logvar)
        scale = net.sure("exp", half, bounds=(0.0, 8.0), role="std")
        return net.let("add", mean, net.let("mul", scale, _noise(net, key, mean, "eps")))

    def decode(net: Net, z: Var) -> Var:
        h = models.tower(net, z, models.KINDS[0], max(2, budget // 3))
        return dense.linear(net, h, inside, "w_out")

    def build(net: Net, key: Var, x: Var) -> Var:
        mean, log_var = net.call("encode", encode, "encoder", x=x)
        z = net.call("reparameterize", sample, key=key, mean=mean, logvar=log_var)
        out = net.call("decode", decode, "decoder", z=z)
        if bits:
            first = losses.binary(net, out, net.sure("sigmoid", x, bounds=(0, 1), role="target"))
        else:
            first = losses.regress(net, out, x, "square")
        kl = losses.divergence(net, mean, log_var)
        return net.let("add", first, kl if beta == 1.0 else net.let("mul", Literal(beta), kl))

    return Task({"key": _KEY, "x": (Aval(dtype, (batch, inside)), _FLOATS)}, build, dtype,
                stream.choice(("loss_fn", "vae_loss", "elbo_loss")))  # fmt: skip


def _time_features(net: Net, t: Var, half: int) -> Var:
    """Gives sines and cosines of the time of each example."""
    column = part_of(net.scope, t, slice(None), None)
    angle = net.let("mul", column, positions.frequencies(net, half))
    return net.let("concatenate", (net.let("sin", angle), net.let("cos", angle)), axis=-1)


def _denoiser(net: Net, noisy: Var, t: Var, budget: int) -> Var:
    """Predicts the noise in images or vectors at the time of each example."""
    channels = noisy.aval.shape[-1]

    def build(inner: Net, x: Var, t: Var) -> Var:
        units = 8
        when = inner.call("time_embedding", lambda n, t: _time_features(n, t, 4), t=t)
        when = inner.act(dense.linear(inner, when, units, "w_time"), "silu")
        if x.aval.rank == 2:
            h = inner.let("concatenate", (x, when), axis=-1)
            h = models.tower(inner, h, models.KINDS[0], budget)
            return dense.linear(inner, h, channels, "w_out")
        h = convolution.conv(inner, x, units, 3, name="conv_in")
        h = inner.let("add", h, part_of(inner.scope, when, slice(None), None, None, slice(None)))
        h = convolution.pyramid(inner, h)
        return convolution.conv(inner, h, channels, 3, name="conv_out")

    role = net.stream.choice(("denoise", "predict_noise", "eps_model"))
    out: Var = net.call(role, build, x=noisy, t=t)
    return out


def _shaped(net: Net, values: Var, x: Var) -> Var:
    return part_of(net.scope, values, slice(None), *(None,) * (x.aval.rank - 1))


def alphas(net: Net, steps: int) -> Var:
    """Gives the share of the signal that is left at each step: linear or cosine."""
    if net.chance(0.6):
        betas = net.let("linspace", start=1e-4, stop=0.02, n=steps, role="betas")
        return net.sure("cumprod", net.let("sub", Literal(1.0), betas), axis=0, bounds=(0.1, 1.0),
                        role="alpha_bar")  # fmt: skip
    t = net.let("linspace", start=0.0, stop=1.0, n=steps, role="t")
    turn = net.let("cos", net.let("mul", t, Literal(1.5)))
    return net.sure("square", turn, bounds=(0.005, 1.0), role="alpha_bar")


def diffusion(scope: Scope, budget: int, mix: Mix) -> Task:
    """Noise at a drawn time, and the error of its prediction; or the velocity of a flow."""
    stream, dtype = scope.stream, scope.float_dtype
    if stream.chance(0.5):
        shape: tuple[int, ...] = (stream.choice((4, 8)), min(32, scope.side()))
    else:
        shape = (stream.choice((1, 2)), 8, 8, stream.choice((1, 3)))
    flow, steps, batch = stream.chance(0.3), stream.choice((10, 50, 100)), shape[0]

    def build(net: Net, key: Var, x: Var) -> Var:
        key_t, key_eps = net.scope.let_all("random_split", key, roles=("key_t", "key_eps"))
        if flow:
            t = net.scope.let("random_uniform", key_t, shape=(batch,), role="t")
            eps = _noise(net, key_eps, x, "noise")
            late = _shaped(net, t, x)
            left = net.let("mul", net.let("sub", Literal(1.0), late), eps)
            noisy = net.let("add", left, net.let("mul", late, x), role="x_t")
            target = net.let("sub", x, eps, role="velocity")
            when = t
        else:
            t = net.scope.let("random_randint", key_t, shape=(batch,), minval=0, maxval=steps,
                              role="t")  # fmt: skip
            eps = _noise(net, key_eps, x, "eps")
            kept = _shaped(net, net.let("gather", alphas(net, steps), t), x)
            signal = net.sure("sqrt", kept, bounds=(0.05, 1.0))
            rest = net.sure("sqrt", net.let("sub", Literal(1.0), kept), bounds=(0.0, 1.0))
            noisy = net.let("add", net.let("mul", signal, x), net.let("mul", rest, eps), role="x_t")
            target, when = eps, net.let("astype", t, dtype=dtype)
        return losses.regress(net, _denoiser(net, noisy, when, budget), target, "square")

    return Task({"key": _KEY, "x": (Aval(dtype, shape), _FLOATS)}, build, dtype,
                stream.choice(("loss_fn", "diffusion_loss")))  # fmt: skip


def adversary(scope: Scope, budget: int, mix: Mix) -> Task:
    """The loss of a generator or of a critic: saturating or not, hinge, or Wasserstein."""
    stream, dtype = scope.stream, scope.float_dtype
    batch, latent, inside = stream.choice((4, 8)), stream.choice((4, 8)), min(32, scope.side())
    way, of_critic = (
        stream.choice(("bce", "bce", "hinge", "wasserstein", "square")),
        stream.chance(0.5),
    )

    def generate(net: Net, z: Var) -> Var:
        h = models.tower(net, z, models.KINDS[0], max(2, budget // 3))
        return net.act(dense.linear(net, h, inside, "w_out"), "tanh")

    def judge(net: Net, x: Var) -> Var:
        h = models.tower(net, x, models.KINDS[0], max(2, budget // 3))
        return dense.linear(net, h, 1, "w_out")

    def scored(net: Net, score: Var, real: bool) -> Var:
        if way == "bce":
            return losses.binary(net, score, 1.0 if real else 0.0)
        if way == "square":
            goal = net.let("sub", score, Literal(1.0)) if real else score
            return net.let("mean", net.let("square", goal))
        signed = net.let("negative", score) if real else score
        if way == "hinge" and of_critic:
            signed = net.act(net.let("add", Literal(1.0), signed), "relu")
        return net.let("mean", signed)

    def build(net: Net, z: Var, x: Var | None = None) -> Var:
        fake = net.call("generator", generate, z=z)
        if of_critic:
            fake = net.let("stop_gradient", fake, role="fake")
        shown = Var(Aval(dtype, (batch, inside)), _FLOATS)
        block = net.define("discriminator", judge, "", x=shown)
        assert block.weights is not None
        own = net.weights.new("discriminator", block.weights)
        score = net.apply(block, own, fake, role="fake_score")
        if x is None:
            return scored(net, score, True)
        real = net.apply(block, own, x, role="real_score")
        return net.let("add", scored(net, real, True), scored(net, score, False))

    inputs = {"z": (Aval(dtype, (batch, latent)), _FLOATS)}
    if of_critic:
        inputs["x"] = (Aval(dtype, (batch, inside)), _FLOATS)
    name = stream.choice(("loss_fn", "critic_loss" if of_critic else "generator_loss"))
    return Task(inputs, build, dtype, name)
