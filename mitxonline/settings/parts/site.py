"""The site's address."""

from mitxonline.settings.env import env, http_address

# Links in e-mails and files begin with it, so it has to be the address that people use.
env.str("SITE_BASE_URL")  # required
SITE_BASE_URL = http_address("SITE_BASE_URL")
