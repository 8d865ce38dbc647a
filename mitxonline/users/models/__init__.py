"""People, and what is kept of their sign-ins."""

from mitxonline.users.models.email_change import EmailChange
from mitxonline.users.models.person import Theme, User
from mitxonline.users.models.sign_in import GivenRight, ProviderSession, RightKind, SeenLogoutToken

__all__ = ["EmailChange", "GivenRight", "ProviderSession", "RightKind", "SeenLogoutToken", "Theme", "User"]
