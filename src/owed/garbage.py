"""Garbage: how often Python looks for it. Little of ours is cyclic, and the usual pace costs a tenth of our time."""

import gc

COLLECT_AFTER = (20_000, 20, 50)
"""Allocations before a collection, by generation."""


def collect_rarely() -> None:
    """Look for garbage less often from now on, and never again among what stands already."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
