"""What is kept at hand is passed over by the collector, and still freed once nobody holds it."""

import gc
import weakref

from runtime.at_hand import settle


class Kept:
    """Something that is kept."""


def test_what_is_settled_is_passed_over_and_still_freed() -> None:
    kept = Kept()
    seen = weakref.ref(kept)
    try:
        settle()
        assert gc.get_freeze_count() > 0
        assert not any(one is kept for one in gc.get_objects())
        del kept
        assert seen() is None
    finally:
        gc.unfreeze()
