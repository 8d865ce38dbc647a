"""Static files with their digest in the name, for production."""

from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage  # type: ignore[import-untyped]


class HashedStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # WhiteNoise is untyped
    """Modules of ours are imported by their hashed names too, so that every file may be kept for ever.

    Only ours: what other packages' bundles import is their own affair.
    """

    patterns: Any = (
        *CompressedManifestStaticFilesStorage.patterns,
        (
            "frontend/js/*.js",
            (
                (
                    r"""(?P<matched>import ["'](?P<url>\./[\w.-]+)["'];)""",
                    """import "%(url)s";""",
                ),
                (
                    r"""(?P<matched>from ["'](?P<url>\./[\w.-]+)["'];)""",
                    """from "%(url)s";""",
                ),
            ),
        ),
    )
