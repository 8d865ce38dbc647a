"""Uploads in a bucket of an S3-compatible store, which every web process and worker sees."""

import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final, TypeVar

from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import (  # type: ignore[import-untyped]
    ClientError,
    ConnectionError,
    HTTPClientError,
)
from django.conf import settings
from django.core.files.base import File
from django.utils.encoding import filepath_to_uri
from storages.backends.s3 import S3Storage  # type: ignore[import-untyped]

from mitxonline.kernel.remote import RemoteSilent, call_remote

Answer = TypeVar("Answer")

SERVICE: Final = "media"
_IN_MEMORY: Final = 2 * 1024 * 1024
_SILENCES: Final = (ConnectionError, HTTPClientError)
_making = threading.Lock()


class BucketStorage(S3Storage):  # type: ignore[misc]  # django-storages is untyped
    """A private bucket. Browsers get pictures at MEDIA_URL and documents at Wagtail's address, never from the store.

    Every call has a deadline and a breaker. Raises `RemoteAway`, an OSError, while the store is silent.
    """

    def get_default_settings(self) -> dict[str, Any]:
        return {
            **super().get_default_settings(),
            "file_overwrite": False,
            "max_memory_size": _IN_MEMORY,  # longer files are read into a temporary one
            "client_config": Config(
                connect_timeout=2, read_timeout=10, retries={"mode": "standard", "max_attempts": 2},
                signature_version="s3v4",
            ),
        }  # fmt: skip

    @cached_property
    def connection(self) -> Any:
        """One for all threads: each call has a thread of its own, and a connection takes long to make.

        A client may be shared by threads, and nothing is changed in the objects that are made from it.
        """
        with _making:
            return super().connection

    def url(self, name: str, *_args: Any, **_options: Any) -> str:
        return f"{settings.MEDIA_URL}{filepath_to_uri(self._normalize_name(name))}"

    def _open(self, name: str, mode: str = "rb") -> File:  # type: ignore[type-arg]
        if "w" in mode:
            raise NotImplementedError("Files of a bucket are saved whole, by save().")
        return _ask(lambda: self._read(name, mode))

    def _read(self, name: str, mode: str) -> File:  # type: ignore[type-arg]
        file: File = super()._open(name, mode)  # type: ignore[type-arg]
        file.open()  # reads it now: later nothing limits how long that takes
        return file

    def _save(self, name: str, content: Any) -> str:
        return _ask(lambda: str(super(BucketStorage, self)._save(name, content)))

    def delete(self, name: str) -> None:
        _ask(lambda: super(BucketStorage, self).delete(name))

    def exists(self, name: str) -> bool:
        return _ask(lambda: bool(super(BucketStorage, self).exists(name)))

    def size(self, name: str) -> int:
        return _ask(lambda: int(super(BucketStorage, self).size(name)))

    def get_modified_time(self, name: str) -> Any:
        try:
            return _ask(lambda: super(BucketStorage, self).get_modified_time(name))
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                raise FileNotFoundError(name) from error
            raise


def _ask(work: Callable[[], Answer]) -> Answer:
    try:
        return call_remote(SERVICE, work, silences=_SILENCES)
    except _SILENCES as silence:
        raise RemoteSilent(f"{SERVICE} gave no answer") from silence
