"""Ask Django whether the production settings are fit for deployment: `python -m tests.ops.deploy_check`."""

import os
import subprocess
import sys

# What production refuses to start without. It reaches nothing; the check reads settings and connects to no one.
REQUIRED = {
    "SECRET_KEY": "a-key-for-checking-the-settings-which-signs-nothing-at-all-0123456789",
    "ALLOWED_HOSTS": "shop.school.edu",
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SITE_BASE_URL": "https://shop.school.edu",
}

# And what a shop that sells for money has besides.
COMPLETE = REQUIRED | {
    "STRIPE_SECRET_KEY": "sk_live_for-checking-the-settings",
    "STRIPE_WEBHOOK_SECRETS": "whsec_for-checking-the-settings",
}


def manage(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run manage.py with production settings and with these variables only."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environ = kept | {"DJANGO_SETTINGS_MODULE": "mitxonline.settings.production"} | variables
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], env=environ, capture_output=True, text=True, check=False
    )


def main() -> int:
    done = manage("check", "--deploy", "--fail-level", "WARNING", **COMPLETE)
    sys.stderr.write(done.stdout + done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
