"""Refusal: a rule said no; a person decides."""

from typing import ClassVar


class Refusal(Exception):
    """A rule said no. Final for Temporal, a hold for one customer; never answered with a default.

    `remedy` is the way out, in one sentence, as a person reads it.
    """

    remedy: ClassVar[str] = "Ask the person who owns the rule."

    def __init__(self, what: str, **facts: object) -> None:
        self.what = what
        self.facts = {name: str(fact) for name, fact in facts.items()}
        super().__init__(what)

    @property
    def code(self) -> str:
        """The refusal's name, as shown to people and matched by workflows."""
        return type(self).__name__

    def __str__(self) -> str:
        facts = "; ".join(f"{name}={fact}" for name, fact in self.facts.items())
        return f"{self.what}{f' ({facts})' if facts else ''}. {self.remedy}"


class RetryLater(Exception):
    """The outside asked for patience: not a refusal, not a fault; try again after so many seconds."""

    def __init__(self, what: str, after_seconds: float) -> None:
        self.after_seconds = after_seconds
        super().__init__(f"{what}; asked to wait {after_seconds:g} s")
