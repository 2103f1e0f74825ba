"""Memory: how often a process that rates looks for garbage."""

import gc


def collect_rarely() -> None:
    """Leave what is imported out of collections, and collect rarely.

    A statement is many thousand values and no cycle: with CPython's own thresholds a third of rating's time went into
    looking for some (benchmarks/rating.py).
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
