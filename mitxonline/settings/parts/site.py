"""Where the site is."""

from mitxonline.settings.env import env

# Links in mails and files are made from it, so it has to be the address people use.
SITE_BASE_URL = env.str("SITE_BASE_URL").rstrip("/")
