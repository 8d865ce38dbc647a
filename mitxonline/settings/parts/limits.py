"""How often something may happen, as (times, seconds) for each key it is counted by."""

# How long the link that confirms an e-mail address works.
EMAIL_VERIFICATION_SECONDS = 3 * 24 * 3600

RATE_LIMITS: dict[str, dict[str, tuple[int, int]]] = {
    # Codes typed in a cart or opened as a link.
    "codes": {"user": (10, 600), "session": (10, 600), "address": (200, 600)},
    # Payments begun, each with a call to the gateway. Trying out stolen cards needs many; a lecture hall buys within
    # a few minutes from one address.
    "checkouts": {"user": (30, 600), "address": (600, 600)},
    # Wrong passwords. A guesser can't lock a person out: an account is limited together with the network that the
    # guesses come from, and alone only at a number that takes many networks.
    "login": {"account_here": (10, 600), "account": (100, 3600), "address": (200, 600)},
    # E-mails with confirmation and reset links, whether or not the address has an account.
    "mails": {"account": (5, 3600), "address": (50, 3600)},
    "register": {"address": (100, 3600)},
    # Visitors sent to a provider. A lecture hall signs in from one address within a few minutes.
    "sign_in_begun": {"address": (600, 600)},
    # Lists of suggestions, one for each pause in typing. A lecture hall types at once.
    "suggestions": {"address": (1200, 60)},
    # Invitations and reminders that a manager sends. An hour is enough for a whole large contract.
    "hand_outs": {"user": (5000, 3600)},
    # Examples of an invitation that a manager sends to any address.
    "example_mails": {"user": (30, 3600)},
    # Helpers whom the buyer of a group purchase names; each gets an e-mail.
    "helpers": {"user": (30, 3600)},
}
