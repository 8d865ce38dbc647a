"""A container's health check: `python -m mitxonline.healthcheck`."""

import os
import sys
from http.client import HTTPConnection, HTTPException


def main() -> int:
    """Return 0 if the web process of this container can serve pages, else 1."""
    # The process only answers to allowed hosts, so the request names the first of them.
    host = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".").replace("*", "localhost")
    connection = HTTPConnection("127.0.0.1", int(os.environ.get("PORT") or 8000), timeout=4)
    try:
        connection.request("GET", "/health/", headers={"Host": host or "localhost"})
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, HTTPException):
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
