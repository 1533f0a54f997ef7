"""Numerical algorithms as people write them, whose functions are drawn where they are free."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs.algorithms import (
    data,
    dynamics,
    grids,
    integers,
    linear,
    roots,
)
from jax_ir_pairs.synthesis.constructs.algorithms import sequences as along
from jax_ir_pairs.synthesis.growth import Family, Form, Grow, one_of


def _plain(grow: Grow, weight: float = 1.0) -> Form:
    """Gives a form with a loop or a factorization that is not differentiated."""
    return Form(grow, weight, reverse=False, forward=False)


FORMS = (
    _plain(roots.newton, 1.5),
    _plain(roots.gauss_newton),
    _plain(roots.bisection),
    _plain(roots.secant),
    _plain(roots.fixed_point),
    _plain(roots.descent, 1.5),
    _plain(roots.line_search),
    _plain(roots.minimized, 0.4),
    _plain(linear.power_iteration),
    _plain(linear.inverse_iteration, 0.7),
    _plain(linear.qr_iteration),
    _plain(linear.gram_schmidt),
    _plain(linear.conjugate_gradient),
    _plain(linear.krylov),
    _plain(linear.jacobi),
    _plain(linear.gauss_seidel, 0.8),
    _plain(linear.newton_schulz, 0.8),
    _plain(linear.recurrence_products, 0.8),
    _plain(dynamics.integrate, 2.0),
    _plain(dynamics.ode_solution, 0.6),
    _plain(dynamics.leapfrog),
    Form(dynamics.diffusion, 1.2),
    Form(dynamics.wave, 0.8),
    Form(dynamics.laplace, 0.8),
    Form(dynamics.bodies),
    _plain(grids.game_of_life, 0.8),
    _plain(grids.mandelbrot, 0.8),
    _plain(grids.spectral_derivative),
    Form(grids.logistic_map, 0.7),
    Form(along.linear_recurrence, 1.2),
    Form(along.prefix),
    Form(along.moving_average),
    Form(along.kalman),
    _plain(along.hidden_markov),
    _plain(along.edit_distance, 0.8),
    _plain(along.increasing_subsequence, 0.6),
    _plain(along.knapsack, 0.6),
    Form(along.horner),
    _plain(data.clusters),
    _plain(data.components),
    _plain(data.regression, 1.2),
    _plain(data.gaussian_process, 1.2),
    Form(data.transport),
    Form(data.quadrature),
    Form(data.filtered, 0.8),
    Form(data.cubic_interpolation),
    _plain(integers.collatz, 0.6),
    _plain(integers.euclid, 0.6),
    _plain(integers.sieve, 0.6),
    _plain(integers.bit_count, 0.7),
    _plain(integers.hashing),
    _plain(integers.exchange_sort, 0.7),
    _plain(integers.bitonic, 0.6),
    _plain(integers.random_walk, 0.8),
)

FAMILY = Family("numerics", one_of(*FORMS))
