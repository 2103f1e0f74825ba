"""Rooms: our folder names are names anyone may install; billing with a stranger's models is worse than not starting."""

import importlib
from pathlib import Path

ROOMS = ("models", "billing", "activities", "workflows", "adapters", "runtime")
ROOT = Path(__file__).resolve().parent.parent


def refuse_strangers() -> None:
    """Return when every room is ours; raises RuntimeError naming the first that lies outside the root."""
    for room in ROOMS:
        found = importlib.import_module(room).__file__
        if found is None or ROOT not in Path(found).resolve().parents:
            raise RuntimeError(
                f"the package {room!r} is a stranger's: {found}; start from {ROOT} with ./tieout or make"
            )
