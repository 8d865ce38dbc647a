"""Uploads in a bucket, on a real S3 server: what is stored, who gets it, and a store that is away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage, storages
from django.test import Client
from moto.server import ThreadedMotoServer
from wagtail.documents import get_document_model
from wagtail.images import get_image_model
from wagtail.images.tests.utils import get_test_image_file
from wagtail.models import CollectionViewRestriction

from dev.embedded.address import free_port
from mitxonline.kernel.remote import RemoteAway
from tests.factories import make_user

pytestmark = pytest.mark.django_db

BUCKET = "school-uploads"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, settings: Any) -> Iterator[Any]:
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    found = boto3.resource("s3", endpoint_url=endpoint, **keys).Bucket(BUCKET)
    found.create()
    use_bucket(settings, endpoint)
    yield found
    found.objects.all().delete()
    found.delete()


def use_bucket(settings: Any, endpoint: str) -> None:
    options = {
        "bucket_name": BUCKET,
        "endpoint_url": endpoint,
        "region_name": "us-east-1",
        "access_key": "key",
        "secret_key": "secret",
    }
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "mitxonline.bucket.BucketStorage", "OPTIONS": options}
    }


def names_in(bucket: Any) -> set[str]:
    return {each.key for each in bucket.objects.all()}


def make_picture() -> Any:
    return get_image_model().objects.create(title="Tiles", file=get_test_image_file("tiles.png", size=(300, 200)))


def test_a_picture_and_its_sizes_are_in_the_bucket_and_come_from_our_address(bucket: Any, client: Client) -> None:
    rendition = make_picture().get_rendition("fill-40x40")
    assert names_in(bucket) == {"original_images/tiles.png", rendition.file.name}
    assert rendition.url == f"/media/{rendition.file.name}"

    response = client.get(rendition.url)
    assert response.status_code == 200
    assert (response["Content-Type"], response["Cache-Control"]) == ("image/png", "public, max-age=604800")
    assert response.getvalue().startswith(b"\x89PNG")
    again = client.get(rendition.url, headers={"If-Modified-Since": response["Last-Modified"]})
    assert (again.status_code, again.content) == (304, b"")


def test_another_process_sees_it(bucket: Any, settings: Any) -> None:
    name = make_picture().file.name
    other = storages.create_storage(settings.STORAGES["default"])
    with other.open(name) as file:
        assert file.read().startswith(b"\x89PNG")
    assert other.size(name) == default_storage.size(name) > 0


def test_a_second_picture_of_a_name_replaces_no_one_elses(bucket: Any) -> None:
    one, other = make_picture(), make_picture()
    assert one.file.name != other.file.name
    assert names_in(bucket) == {one.file.name, other.file.name}
    with one.file.open() as file:
        assert file.read()
    one.file.storage.delete(one.file.name)
    assert names_in(bucket) == {other.file.name}


def test_documents_come_only_where_rights_are_looked_at(bucket: Any, client: Client) -> None:
    document = get_document_model().objects.create(title="Salaries", file=ContentFile(b"42", name="salaries.pdf"))
    assert names_in(bucket) == {"documents/salaries.pdf"}
    assert client.get("/media/documents/salaries.pdf").status_code == 404
    assert client.get(document.url).getvalue() == b"42"

    CollectionViewRestriction.objects.create(
        collection=document.collection, restriction_type=CollectionViewRestriction.LOGIN
    )
    assert client.get(document.url).status_code == 302
    client.force_login(make_user())
    assert client.get(document.url).getvalue() == b"42"


@pytest.mark.parametrize("path", ["images/nothing.png", "images/", "../../etc/passwd", "images/%2e%2e/%2e%2e/secret"])
def test_what_is_not_there_is_not_found(bucket: Any, client: Client, path: str) -> None:
    assert client.get(f"/media/{path}").status_code == 404
    assert not default_storage.exists("images/nothing.png")


def test_a_store_that_is_away_takes_pictures_with_it_and_no_page(settings: Any, client: Client) -> None:
    use_bucket(settings, f"http://127.0.0.1:{free_port()}")
    response = client.get("/media/images/tiles.png")
    assert (response.status_code, response["Retry-After"], response["Cache-Control"]) == (503, "30", "no-store")
    with pytest.raises(RemoteAway):
        default_storage.save("a.txt", ContentFile(b"1"))
    assert client.get("/").status_code == 200
