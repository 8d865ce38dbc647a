"""How many failures are borne, as (failures, seconds), by what they are counted for."""

# How long the link lives that confirms an e-mail address.
EMAIL_VERIFICATION_SECONDS = 3 * 24 * 3600

RATE_LIMITS: dict[str, dict[str, tuple[int, int]]] = {
    # Codes typed in a cart or opened as a link.
    "codes": {"user": (10, 600), "session": (10, 600), "address": (200, 600)},
    # Payments begun, each of them a call to the gateway. Whoever tries out stolen cards begins many; a lecture hall
    # buys within a few minutes from one address.
    "checkouts": {"user": (30, 600), "address": (600, 600)},
    # Passwords. One guesser can't lock a person out from elsewhere: an account is limited together with the
    # network the guesses come from; alone only at a number that needs many networks.
    "login": {"account_here": (10, 600), "account": (100, 3600), "address": (200, 600)},
    # Mails someone can have us send: confirmation and reset links. Every one counts.
    "mails": {"account": (5, 3600), "address": (50, 3600)},
    "register": {"address": (100, 3600)},
    # Visitors sent to a provider. A lecture hall signs in from one address within a few minutes.
    "sign_in_begun": {"address": (600, 600)},
    # Invitations and reminders a manager has us send. A whole large contract fits into an hour; every one counts.
    "hand_outs": {"user": (5000, 3600)},
}
