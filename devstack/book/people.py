"""People of the demo: who may do what, each with a token of their own that the embedded stack writes down."""

import json
import secrets
from pathlib import Path

from models.close import Role

PEOPLE: tuple[tuple[str, str, tuple[Role, ...]], ...] = (
    ("pia", "Pia, billing operations", (Role.PREPARER, Role.APPROVER)),
    ("aron", "Aron, finance", (Role.APPROVER,)),
    ("abby", "Abby, finance", (Role.APPROVER,)),
    ("cora", "Cora, controller", (Role.CONTROLLER,)),
    ("rita", "Rita, pricing", (Role.PREPARER,)),
    ("erik", "Erik, engineering", (Role.ENGINEER,)),
    ("audra", "Audra, auditor", (Role.AUDITOR,)),
)


def tokens(state: Path) -> dict[str, str]:
    """Return each person's token, made once for a state folder and kept there for `--as`, readable by us alone."""
    path = state / "people.json"
    kept: dict[str, str] = json.loads(path.read_text()) if path.is_file() else {}
    for person, _, _ in PEOPLE:
        kept.setdefault(person, secrets.token_urlsafe(24))
    path.touch(mode=0o600)
    path.write_text(json.dumps(kept, indent=1))
    return kept
