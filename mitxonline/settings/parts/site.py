"""The site's address."""

from mitxonline.settings.env import env

# Links in e-mails and files begin with it, so it has to be the address that people use.
SITE_BASE_URL = env.str("SITE_BASE_URL").rstrip("/")
