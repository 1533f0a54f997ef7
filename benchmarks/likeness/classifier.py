"""A linear classifier that tells two heaps of documents apart, and how often it is right.

A document is a list of tokens; its features are its runs of one to three tokens, hashed, each
counted as there or not, scaled to the same length for every document. Logistic regression weighs
them. The area under the curve (AUC) is the chance that a document of the one heap, drawn at random,
scores higher than one of the other: 0.5 where they cannot be told apart.
"""

from __future__ import annotations

import io
import random
import tokenize
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.stats import rankdata

_FEATURES = 1 << 18
_LONGEST_RUN = 3
_PENALTY = 1e-4
_FOLDS = 5
_CONTROLS = 3
_LAYOUT = frozenset(
    (
        tokenize.COMMENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
        tokenize.INDENT,
        tokenize.NEWLINE,
        tokenize.NL,
    )
)

Documents = Sequence[Sequence[str]]
Array = np.ndarray[Any, Any]


def code_tokens(text: str) -> list[str]:
    """Gives the tokens of a program but for comments and layout, with all strings as one token."""
    found = []
    depth = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        name = tokenize.tok_name[token.type]
        if name.startswith("FSTRING_"):  # an f-string is one string, as it is before Python 3.12
            depth += (name == "FSTRING_START") - (name == "FSTRING_END")
            if name == "FSTRING_END" and not depth:
                found.append('""')
        elif not depth and token.type not in _LAYOUT:
            found.append('""' if token.type == tokenize.STRING else token.string)
    return found


def features(documents: Documents) -> csr_matrix:
    """Gives a row of features for each document, of length one."""
    places: list[Array] = []
    for tokens in documents:
        hashes = np.array([zlib.crc32(token.encode()) for token in tokens] or [0], np.uint64)
        run = np.zeros(len(hashes), np.uint64)
        found = []
        for length in range(1, min(_LONGEST_RUN, len(hashes)) + 1):
            run = run[: len(hashes) - length + 1] * np.uint64(0x9E3779B97F4A7C15)
            run = run + hashes[length - 1 :] + np.uint64(length)
            run = run ^ (run >> np.uint64(31))
            found.append(run % np.uint64(_FEATURES))
        places.append(np.unique(np.concatenate(found)).astype(np.int64))
    sizes = np.array([len(place) for place in places])
    values = np.repeat(1 / np.sqrt(sizes), sizes)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    return csr_matrix((values, np.concatenate(places), starts), (len(places), _FEATURES))


def fit(rows: csr_matrix, is_second: Array) -> Array:
    """Gives the weights of logistic regression; both heaps count the same, whatever their sizes."""
    places, used = np.unique(rows.indices, return_inverse=True)
    shape = (rows.shape[0], len(places))
    whole = np.zeros(rows.shape[1] + 1)
    rows = csr_matrix((rows.data, used, rows.indptr), shape)  # without what no document has
    sign = np.where(is_second, 1.0, -1.0)
    weight = np.where(is_second, 0.5 / is_second.sum(), 0.5 / (~is_second).sum())

    def loss(parameters: Array) -> tuple[float, Array]:
        margin = sign * (rows @ parameters[:-1] + parameters[-1])
        slope = -weight * sign / (1 + np.exp(np.minimum(margin, 500)))
        value = (weight * np.logaddexp(0, -margin)).sum()
        value += 0.5 * _PENALTY * (parameters[:-1] ** 2).sum()
        towards = rows.T @ slope + _PENALTY * parameters[:-1]
        return value, np.append(towards, slope.sum())

    start = np.zeros(rows.shape[1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 60})
    whole[places], whole[-1] = found.x[:-1], found.x[-1]
    return whole


def area(scores: Array, is_second: Array) -> float:
    """Gives the chance that a document of the second heap scores higher than one of the first."""
    ranks = rankdata(scores)
    second = int(is_second.sum())
    above = ranks[is_second].sum() - second * (second + 1) / 2
    return float(above / (second * (len(scores) - second)))


def held_out_area(ours: Documents, seen: Documents, held_out: Documents) -> float:
    """Gives the AUC of ours against packages that the classifier did not see.

    It learns from one half of ours and the packages that are seen, and is asked about the other
    half and the packages held out; then the halves of ours change places.
    """
    of_ours, of_seen, of_held_out = map(features, (ours, seen, held_out))
    odd = np.arange(len(ours)) % 2 == 1
    return float(
        np.mean(
            [_area_of(of_ours[half], of_seen, of_ours[~half], of_held_out) for half in (odd, ~odd)]
        )
    )


def folded_area(ours: Documents, real: Mapping[str, Documents]) -> float:
    """Gives the AUC of ours against real packages, a fifth of which is not seen, by turns."""
    of_ours = features(ours)
    of_real = {package: features(found) for package, found in real.items() if found}
    ordered = sorted(of_real, key=lambda package: of_real[package].shape[0])
    fold_of = {package: place % _FOLDS for place, package in enumerate(ordered)}
    own_fold = np.arange(len(ours)) % _FOLDS
    found = []
    for fold in range(_FOLDS):
        seen = [rows for package, rows in of_real.items() if fold_of[package] != fold]
        asked = [rows for package, rows in of_real.items() if fold_of[package] == fold]
        if seen and asked:
            own = of_ours[own_fold != fold], of_ours[own_fold == fold]
            found.append(_area_of(own[0], _stacked(seen), own[1], _stacked(asked)))
    return float(np.mean(found))


def control_areas(real: Mapping[str, Documents]) -> list[float]:
    """Gives AUCs of one half of the packages against the other, documents held out by turns."""
    packages = sorted(package for package, found in real.items() if found)
    return [
        _control(real, random.Random(seed).sample(packages, len(packages) // 2))
        for seed in range(_CONTROLS)
    ]


def _control(real: Mapping[str, Documents], first: Sequence[str]) -> float:
    heaps: tuple[list[Sequence[str]], list[Sequence[str]]] = ([], [])
    for package, documents in real.items():
        heaps[package not in first].extend(documents)
    rows = features([*heaps[0], *heaps[1]])
    is_second = np.arange(rows.shape[0]) >= len(heaps[0])
    fold_of = np.random.default_rng(0).permutation(rows.shape[0]) % _FOLDS
    found = []
    for fold in range(_FOLDS):
        weights = fit(rows[fold_of != fold], is_second[fold_of != fold])
        scores = rows[fold_of == fold] @ weights[:-1]
        found.append(area(scores, is_second[fold_of == fold]))
    return float(np.mean(found))


def _area_of(
    own_seen: csr_matrix, real_seen: csr_matrix, own_asked: csr_matrix, real_asked: csr_matrix
) -> float:
    is_ours = np.arange(own_seen.shape[0] + real_seen.shape[0]) < own_seen.shape[0]
    weights = fit(_stacked([own_seen, real_seen]), is_ours)[:-1]
    own, real = own_asked @ weights, real_asked @ weights
    scores = np.concatenate([own, real])
    return area(scores, np.arange(len(scores)) < len(own))


def _stacked(parts: Sequence[csr_matrix]) -> csr_matrix:
    from scipy.sparse import vstack

    return csr_matrix(vstack(parts))
