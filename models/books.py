"""What the books refuse, whichever stage asks: the same row with other content, rates that overlap, a stranger."""

from models.refusal import Refusal


class Conflict(Refusal):
    """A row with this business key exists with other content."""

    remedy = "Nothing was changed; look at the row that is there, and correct forward."


class OverlappingRates(Refusal):
    """Two rate versions claim the same instant for the same subject."""

    remedy = "Let the new version begin at another instant, or keep the one that is there."


class NotAuthenticated(Refusal):
    """The token belongs to nobody who may decide."""

    remedy = "Sign in again, or ask the controller for a token of your own."


class FourEyes(Refusal):
    """One person would prepare and approve the same thing."""

    remedy = "Ask another person to approve it."


class TooMuchCredited(Refusal):
    """Corrections approved side by side would give back more than an invoice."""

    remedy = "See what was credited already: tieout correction list; propose what is left."
