"""What `check_sso` finds. Apps add their own checks to `SSO_CHECKS`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    FINE = "fine"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SetupFinding:
    """One thing that was checked. The sentence says what was found and, if something is missing, what to do."""

    provider: str
    subject: str
    state: State
    sentence: str


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """Creates the findings about one provider."""

    provider: str

    def fine(self, subject: str, sentence: str) -> SetupFinding:
        return SetupFinding(self.provider, subject, State.FINE, sentence)

    def missing(self, subject: str, sentence: str) -> SetupFinding:
        return SetupFinding(self.provider, subject, State.MISSING, sentence)

    def unknown(self, subject: str, sentence: str) -> SetupFinding:
        return SetupFinding(self.provider, subject, State.UNKNOWN, sentence)
