"""A fingerprint of what draws pages besides the database: code, packages, templates, translations, styles and
settings."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.utils.functional import Promise

import mitxonline

_ENDINGS = frozenset({".py", ".html", ".mo", ".css", ".js", ".svg", ".txt", ".json"})


@cache
def code_fingerprint() -> str:
    """The same in all processes of one release with the same settings. After an update no page of before is found."""
    digest = blake2b(digest_size=12)
    for name in dir(settings):
        if name.isupper():
            digest.update(f"{name}={_plain(getattr(settings, name))}\n".encode())
    for package in sorted(f"{each.name} {each.version}" for each in distributions()):
        digest.update(f"{package}\n".encode())
    for path in sorted(_files()):
        found = path.stat()
        digest.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _files() -> Iterator[Path]:
    ours = Path(mitxonline.__file__).parent
    folders = {Path(config.path) for config in apps.get_app_configs() if ours.parent in Path(config.path).parents}
    folders |= {ours, *(Path(str(path)) for path in settings.LOCALE_PATHS)}
    for folder in folders:
        yield from (path for path in folder.rglob("*") if path.suffix in _ENDINGS)
    if settings.STATIC_ROOT:
        yield from (path for path in [Path(settings.STATIC_ROOT) / "staticfiles.json"] if path.exists())


def _plain(value: Any) -> str:
    """The value as text that is the same in each process; empty for what isn't plain."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_plain(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_plain(each) for each in value) + "]"
    if isinstance(value, (set, frozenset)):
        return "{" + ",".join(sorted(_plain(each) for each in value)) + "}"
    if isinstance(value, (str, Promise, int, float, Path)) or value is None:
        return str(value)
    return ""
