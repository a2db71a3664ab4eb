"""Which placements are legal: every expert has a slot in every layer, and every slot an expert."""

from typing import Any

import numpy as np

from evolve.problem import InvalidDecision


def validated(decision: Any, layers: int, slots: int, experts: int) -> np.ndarray:
    """Returns a placement, an array or a list of lists of integers, as ``int64[layers, slots]``.

    Raises:
        InvalidDecision: naming the layer, and the slot or expert, where it breaks a rule.
    """
    array = _whole(decision if isinstance(decision, np.ndarray) else _listed(decision, layers, slots))
    if array.shape != (layers, slots):
        raise InvalidDecision(f"expected an expert for each slot, shape {(layers, slots)}; got shape {array.shape}")
    if array.min() < 0 or array.max() >= experts:
        layer, slot = np.argwhere((array < 0) | (array >= experts))[0].tolist()
        raise InvalidDecision(
            f"layer {layer}, slot {slot}: experts are 0 to {experts - 1}; got {int(array[layer, slot])}"
        )
    placement = array.astype(np.int64)
    missing = replicas(placement, experts) == 0
    if missing.any():
        layer, expert = np.argwhere(missing)[0].tolist()
        raise InvalidDecision(f"layer {layer}: expert {expert} has no slot; every expert needs at least one")
    return placement


def replicas(placement: np.ndarray, experts: int) -> np.ndarray:
    """Returns the number of slots of each expert, ``int64[layers, experts]``."""
    layers = len(placement)
    keys = placement + experts * np.arange(layers)[:, None]
    return np.bincount(keys.ravel(), minlength=layers * experts).reshape(layers, experts)


def _listed(decision: list[list[int]], layers: int, slots: int) -> np.ndarray:
    if len(decision) != layers:
        raise InvalidDecision(f"expected {layers} layers; got {len(decision)}")
    for layer, row in enumerate(decision):
        if len(row) != slots:
            raise InvalidDecision(f"layer {layer}: expected {slots} slots; got {len(row)}")
    return np.array(decision, np.int64)


def _whole(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "iu":
        raise InvalidDecision(f"expected an array of integers, the numbers of experts; got {array.dtype.name}")
    return array
