"""Storage of static files in production, with digests in their names."""

from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage  # type: ignore[import-untyped]


class HashedStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # WhiteNoise is untyped
    """Rewrite imports in our JavaScript modules to hashed names, so that every file can be cached forever.

    Bundles of other packages are left alone.
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
