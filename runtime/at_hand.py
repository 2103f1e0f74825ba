"""At hand: what a process keeps for long is kept out of the garbage collector's rounds."""

import gc


def settle() -> None:
    """Collect what is left over, and have the collector pass over everything that is kept from now on.

    With a thousand customers' comparisons at hand its rounds stopped every page for half a second (measured by
    `benchmarks/console_pages.py`); what is frozen is still freed once nobody holds it.
    """
    gc.collect()
    gc.freeze()
