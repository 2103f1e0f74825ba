"""The engine's identity: its version and a hash of the rules, kept on every result it computes."""

import hashlib
from functools import cache
from pathlib import Path

VERSION = "0.1.0"
ROOT = Path(__file__).resolve().parent.parent


@cache
def engine_id() -> str:
    """Return version and hash of the code that computes (models and billing): tieout/0.1.0+3f9c1a2b7d4e.

    Two results with one engine id were made by the same rules to the byte.
    """
    whole = hashlib.sha256()
    for path in sorted([*(ROOT / "models").rglob("*.py"), *(ROOT / "billing").rglob("*.py")]):
        if "tables" not in path.parts:
            whole.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"tieout/{VERSION}+{whole.hexdigest()[:12]}"
