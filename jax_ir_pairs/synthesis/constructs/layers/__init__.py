"""Layers of neural networks as people write them: functions of weights and activations."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs.layers.net import Net, Weights, activation, calm

__all__ = ["Net", "Weights", "activation", "calm"]
