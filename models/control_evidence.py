"""Control evidence: one control of one period, as an auditor takes it away: files with their checksums."""

from pydantic import Field

from models.period import Month
from models.usage import Identifier
from models.value import Instant, Value


class EvidenceFile(Value):
    """A file of the export."""

    name: Identifier
    sha256: str
    rows: int = Field(ge=0)


class ControlManifest(Value):
    """What an export holds. Its fingerprint, held elsewhere, tells whether the folder is as it was exported."""

    control: Identifier
    month: Month
    at: Instant
    chain_head: str  # of the journal when it was exported
    files: tuple[EvidenceFile, ...]
