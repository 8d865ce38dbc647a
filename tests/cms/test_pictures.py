"""Uploaded pictures: what is taken out of them, and what is refused."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from PIL import Image as Picture
from PIL import ImageCms, PngImagePlugin
from wagtail.images.models import Image
from wagtail.users.models import UserProfile

from cms.services.pictures import clean_picture
from tests.support.reading import form_data, read

pytestmark = pytest.mark.django_db

ADD = "/cms/images/add/"
ADD_MANY = "/cms/images/multiple/add/"
GPS, GPS_IFD, ARTIST, ORIENTATION = 0x8825, {1: "N", 2: (52.0, 31.0, 0.0)}, 0x013B, 0x0112
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><exif:GPSLatitude>52,31N</exif:GPSLatitude></x:xmpmeta>'
SECRETS = (b"52,31N", b"Amara Okafor", b"GPSLatitude", b"Exif")


def photograph(
    kind: str = "JPEG", mode: str = "RGB", *, orientation: int = 1, size: tuple[int, int] = (60, 40)
) -> bytes:
    """Return a picture with the place it was taken at and its author, whose left half is red."""
    picture = Picture.new("RGB", size, "blue")
    picture.paste("red", (0, 0, size[0] // 2, size[1]))
    picture = picture.convert(mode)
    exif = Picture.Exif()
    exif[ARTIST], exif[ORIENTATION] = "Amara Okafor", orientation
    exif.get_ifd(GPS).update(GPS_IFD)
    options: dict[str, Any] = {"exif": exif}
    if kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Author", "Amara Okafor")
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options["pnginfo"] = text
    elif kind != "GIF":
        options["xmp"] = XMP
    if kind == "JPEG":
        options["comment"] = b"Amara Okafor"
    if kind == "GIF":
        options = {"comment": b"Amara Okafor"}
    file = BytesIO()
    picture.save(file, format=kind, **options)
    return file.getvalue()


def upload(client: Client, content: bytes, name: str = "photo.jpg") -> Any:
    return client.post(ADD, {"title": "A photograph", "file": SimpleUploadedFile(name, content)})


def stored(field: Any) -> bytes:
    with field.storage.open(field.name) as file:
        content: bytes = file.read()
    return content


def served(image: Image) -> list[bytes]:
    """Return the original and renditions of each kind."""
    image = Image.objects.get(pk=image.pk)
    specs = ("original", "max-165x165", "fill-30x20|format-webp")
    files = [stored(image.get_rendition(spec).file) for spec in specs]
    image.file.close()
    return [stored(image.file), *files]


@pytest.mark.parametrize(("kind", "name"), [("JPEG", "a.jpg"), ("PNG", "a.png"), ("WEBP", "a.webp"), ("GIF", "a.gif")])
def test_nothing_personal_is_in_any_file_that_is_served(admin_client: Client, kind: str, name: str) -> None:
    content = photograph(kind)
    assert any(secret in content for secret in SECRETS)
    assert upload(admin_client, content, name).status_code == 302
    for content in served(Image.objects.get()):
        assert not [secret for secret in SECRETS if secret in content]
        assert not Picture.open(BytesIO(content)).getexif()


def test_a_rotated_photograph_stays_upright(admin_client: Client) -> None:
    upload(admin_client, photograph(orientation=6))  # the camera was held upright: the top is at the right
    image = Image.objects.get()
    assert (image.width, image.height) == (40, 60)
    for content in served(image)[:2]:
        picture = Picture.open(BytesIO(content)).convert("RGB")
        assert picture.width < picture.height
        red, blue = (picture.getpixel((picture.width // 2, y)) for y in (3, picture.height - 4))
        assert red[0] > 200 > 60 > red[2]  # type: ignore[index]
        assert blue[2] > 200 > 60 > blue[0]  # type: ignore[index]


def test_colors_for_print_become_colors_for_screens(admin_client: Client) -> None:
    upload(admin_client, photograph(mode="CMYK"))
    for content in served(Image.objects.get()):
        assert Picture.open(BytesIO(content)).mode == "RGB"


def test_the_color_profile_of_a_photograph_stays(admin_client: Client) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = BytesIO()
    Picture.new("RGB", (20, 20), "red").save(file, format="JPEG", icc_profile=profile)
    upload(admin_client, file.getvalue())
    assert Picture.open(BytesIO(stored(Image.objects.get().file))).info["icc_profile"] == profile


def test_an_animation_keeps_its_frames(admin_client: Client) -> None:
    frames = [Picture.new("RGB", (20, 20), color) for color in ("red", "green", "blue")]
    file = BytesIO()
    frames[0].save(file, format="GIF", save_all=True, append_images=frames[1:], duration=80, loop=0)
    upload(admin_client, file.getvalue(), "moving.gif")
    with Picture.open(BytesIO(stored(Image.objects.get().file))) as picture:
        assert (picture.n_frames, picture.info["duration"]) == (3, 80)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("kind", "name"), [("JPEG", "a.jpg"), ("PNG", "a.png"), ("WEBP", "a.webp")])
def test_half_a_picture_is_refused_in_a_sentence(admin_client: Client, kind: str, name: str) -> None:
    content = photograph(kind, size=(400, 300))
    response = upload(admin_client, content[: len(content) // 2], name)
    assert response.status_code == 200
    sentence = "This picture is damaged or incomplete."
    assert sentence in response.content.decode() or "not an image or a corrupted image" in response.content.decode()
    assert not Image.objects.exists()


def test_a_whole_picture_is_refused_where_half_of_one_replaces_it(admin_client: Client) -> None:
    upload(admin_client, photograph())
    image = Image.objects.get()
    before = stored(image.file)
    content = photograph(size=(400, 300))
    half = SimpleUploadedFile("half.jpg", content[: len(content) // 2])
    response = admin_client.post(f"/cms/images/{image.pk}/", {"title": "Other", "file": half})
    assert "damaged or incomplete" in response.content.decode()
    image.refresh_from_db()
    assert (image.title, stored(image.file)) == ("A photograph", before)


def test_many_at_once_are_cleaned_and_refused_alike(admin_client: Client) -> None:
    content = photograph(size=(400, 300))
    for file, is_taken in ((content, True), (content[: len(content) // 2], False)):
        response = admin_client.post(
            ADD_MANY,
            {"title": "One of many", "files[]": SimpleUploadedFile("many.jpg", file)},
            headers={"x-requested-with": "XMLHttpRequest"},
        )
        assert response.json()["success"] is is_taken
    [image] = Image.objects.all()
    assert not [secret for secret in SECRETS for content in served(image) if secret in content]


class TestProfilePictures:
    """Small ones, which Wagtail takes as they are, and large ones, which it shrinks."""

    def upload(self, client: Client, content: bytes, name: str = "me.jpg") -> str:
        return self.send(client, **{"avatar-avatar": SimpleUploadedFile(name, content)})

    def send(self, client: Client, **changes: Any) -> str:
        page = read(client.get("/cms/account/"))
        choices = [(menu["name"], menu.select_one("[selected]")) for menu in page.select("main select")]
        chosen = {str(name): str(option["value"]) for name, option in choices if option is not None}
        form = {**form_data(page), **chosen, "name_email-name": "Ada", "avatar-avatar": ""}
        answer: str = client.post("/cms/account/", {**form, **changes}, follow=True).content.decode()
        return answer

    @pytest.mark.parametrize("size", [(60, 40), (900, 600), (6000, 3)])
    @pytest.mark.parametrize(
        ("kind", "name"), [("JPEG", "a.jpg"), ("PNG", "a.png"), ("WEBP", "a.webp"), ("GIF", "a.gif")]
    )
    def test_they_are_small_and_tell_nothing_personal(
        self, admin_client: Client, kind: str, name: str, size: tuple[int, int]
    ) -> None:
        self.upload(admin_client, photograph(kind, size=size), name)
        content = stored(UserProfile.objects.get().avatar)
        assert not [secret for secret in SECRETS if secret in content]
        with Picture.open(BytesIO(content)) as picture:
            assert max(picture.size) <= 400
            assert picture.format == kind

    def test_half_of_one_and_too_large_a_one_are_refused_in_a_sentence(self, admin_client: Client) -> None:
        content, large = photograph(size=(900, 600)), BytesIO()
        Picture.new("1", (12000, 9000)).save(large, format="PNG")
        assert "damaged or incomplete" in self.upload(admin_client, content[: len(content) // 2])
        assert "too many pixels" in self.upload(admin_client, large.getvalue(), "large.png")
        assert "not an image" in self.upload(admin_client, b"hello")
        assert not UserProfile.objects.exclude(avatar="").exists()

    def test_one_stays_until_it_is_replaced_or_taken_away(self, admin_client: Client) -> None:
        self.upload(admin_client, photograph())
        profile = UserProfile.objects.get()
        old, storage = profile.avatar.name, profile.avatar.storage
        for changes, is_kept in (({}, True), ({"avatar-avatar-clear": "on"}, False)):
            self.send(admin_client, **changes)
            profile.refresh_from_db()
            assert (profile.avatar.name == old, storage.exists(old)) == (is_kept, is_kept)


def test_a_picture_made_by_code_is_cleaned_too() -> None:
    image = Image.objects.create(title="By code", file=SimpleUploadedFile("a.jpg", photograph(orientation=6)))
    assert (image.width, image.height) == (40, 60)
    assert image.file_size == image.file.size
    assert not [secret for secret in SECRETS for content in served(image) if secret in content]


def test_a_picture_with_too_many_pixels_is_refused_in_a_sentence(admin_client: Client) -> None:
    file = BytesIO()
    Picture.new("1", (12000, 9000)).save(file, format="PNG")
    response = upload(admin_client, file.getvalue(), "large.png")
    assert "too many pixels" in response.content.decode()
    assert not Image.objects.exists()


def test_sixteen_bits_of_gray_keep_their_shades() -> None:
    deep = Picture.new("I;16", (4, 4), 30_000)
    file = BytesIO()
    deep.save(file, "PNG")
    clean = Picture.open(BytesIO(clean_picture(SimpleUploadedFile("scan.png", file.getvalue())).read()))
    assert (clean.mode, clean.getpixel((0, 0))) == ("L", 117)


def store_unclean(content: bytes, name: str) -> Image:
    """Store a picture as before uploads were cleaned."""
    image = Image(title=name, file=SimpleUploadedFile(name, content), width=60, height=40)
    Image.objects.bulk_create([image])  # sends no signal
    return Image.objects.get(title=name)


class TestStripPictureMetadata:
    KINDS = (("JPEG", "a.jpg"), ("PNG", "a.png"), ("WEBP", "a.webp"), ("GIF", "a.gif"), ("AVIF", "a.avif"))

    def test_old_pictures_are_cleaned_once(self, django_capture_on_commit_callbacks: Any) -> None:
        images = [store_unclean(photograph(kind), name) for kind, name in self.KINDS]
        before = [(image.file.name, stored(image.file)) for image in images]
        rendition = images[0].get_rendition("width-30")
        assert all(any(secret in content for secret in SECRETS) for _name, content in before)
        with django_capture_on_commit_callbacks(execute=True):
            call_command("strip_picture_metadata")
        for image, (old_name, _content) in zip(images, before, strict=True):
            image.refresh_from_db()
            assert not any(secret in each for secret in SECRETS for each in served(image))
            assert not image.file.storage.exists(old_name)
            assert image.file_size == len(stored(image.file))
        assert not rendition.file.storage.exists(rendition.file.name)
        names = [image.file.name for image in images]
        call_command("strip_picture_metadata")
        assert [Image.objects.get(pk=image.pk).file.name for image in images] == names

    def test_a_dry_run_changes_nothing(self, capsys: pytest.CaptureFixture[str]) -> None:
        one, other = (store_unclean(photograph(), name) for name in ("a.jpg", "b.jpg"))
        content = stored(one.file)
        call_command("strip_picture_metadata", dry_run=True)
        assert "Would clean 2 pictures." in capsys.readouterr().err
        assert (stored(one.file), other.file.storage.exists(other.file.name)) == (content, True)

    def test_a_rotated_picture_keeps_its_shape(self) -> None:
        image = store_unclean(photograph(orientation=6), "a.jpg")
        call_command("strip_picture_metadata")
        image.refresh_from_db()
        assert (image.width, image.height) == (40, 60)

    def test_pictures_that_cannot_be_read_are_named_and_stop_no_other(self, capsys: pytest.CaptureFixture[str]) -> None:
        half = photograph()[:-100]
        broken = store_unclean(photograph(), "broken.jpg")
        with broken.file.storage.open(broken.file.name, "wb") as file:
            file.write(half)
        gone = store_unclean(photograph(), "gone.jpg")
        gone.file.storage.delete(gone.file.name)
        image = store_unclean(photograph(), "c.jpg")
        with pytest.raises(CommandError, match="2 pictures can’t be read"):
            call_command("strip_picture_metadata")
        err = capsys.readouterr().err
        assert "broken.jpg" in err
        assert "gone.jpg" in err
        image.refresh_from_db()
        assert not any(secret in stored(image.file) for secret in SECRETS)
        assert stored(broken.file) == half
