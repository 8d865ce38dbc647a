"""What content blocks accept and refuse."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from cms.blocks.commerce import CallToActionBlock
from cms.blocks.home import OrganizationsBandBlock
from cms.blocks.media import VideoBlock, player_url
from cms.blocks.requirements import RequirementsBlock
from tests.factories import make_course

YOUTUBE = "https://www.youtube-nocookie.com/embed/aqz-KE-bpKQ"


def errors_of(refused: Any) -> Any:
    """Return the error messages by field of the block."""
    return refused.value.block_errors


@pytest.mark.parametrize(
    ("address", "player"),
    [
        ("https://www.youtube.com/watch?v=aqz-KE-bpKQ", YOUTUBE),
        ("https://youtube.com/watch?t=10&v=aqz-KE-bpKQ", f"{YOUTUBE}?start=10"),
        ("https://www.youtube.com/watch?v=aqz-KE-bpKQ&t=1m30s", f"{YOUTUBE}?start=90"),
        ("https://www.youtube.com/watch?v=aqz-KE-bpKQ#t=1h2m3s", f"{YOUTUBE}?start=3723"),
        ("https://www.youtube.com/embed/aqz-KE-bpKQ?start=42", f"{YOUTUBE}?start=42"),
        ("https://www.youtube.com/watch?v=aqz-KE-bpKQ&t=soon", YOUTUBE),
        ("https://www.youtube.com/watch?v=aqz-KE-bpKQ&t=0", YOUTUBE),
        ("https://vimeo.com/76979871#t=1m5s", "https://player.vimeo.com/video/76979871?dnt=1#t=65s"),
        ("https://vimeo.com/76979871?t=%22onload", "https://player.vimeo.com/video/76979871?dnt=1"),
        (
            "https://vimeo.com/76979871/8272103f6e?t=7",
            "https://player.vimeo.com/video/76979871?dnt=1&h=8272103f6e#t=7s",
        ),
        ("https://m.youtube.com/watch?v=aqz-KE-bpKQ", YOUTUBE),
        ("https://youtu.be/aqz-KE-bpKQ?t=3", f"{YOUTUBE}?start=3"),
        ("https://www.youtube.com/embed/aqz-KE-bpKQ", YOUTUBE),
        ("https://www.youtube.com/shorts/aqz-KE-bpKQ", YOUTUBE),
        ("https://vimeo.com/76979871", "https://player.vimeo.com/video/76979871?dnt=1"),
        ("https://player.vimeo.com/video/76979871", "https://player.vimeo.com/video/76979871?dnt=1"),
        ("https://vimeo.com/76979871/8272103f6e", "https://player.vimeo.com/video/76979871?dnt=1&h=8272103f6e"),
        (
            "https://vimeo.com/76979871/8272103f6e?share=copy",
            "https://player.vimeo.com/video/76979871?dnt=1&h=8272103f6e",
        ),
        ("https://vimeo.com/76979871?h=8272103f6e", "https://player.vimeo.com/video/76979871?dnt=1&h=8272103f6e"),
        (
            "https://player.vimeo.com/video/76979871?h=8272103f6e&app_id=1",
            "https://player.vimeo.com/video/76979871?dnt=1&h=8272103f6e",
        ),
        ("https://vimeo.com/76979871?h=%22onload", "https://player.vimeo.com/video/76979871?dnt=1"),
        ("https://vimeo.com/channels/staffpicks/76979871", "https://player.vimeo.com/video/76979871?dnt=1"),
        ("https://www.youtube.com/live/aqz-KE-bpKQ?feature=share", YOUTUBE),
        ("https://www.youtube.com/live/", None),
        ("https://[vimeo.com/76979871", None),
        ("https://www.youtube.com/", None),
        ("https://www.youtube.com/watch?v=", None),
        ("https://www.youtube.com/watch?v=../../etc", None),
        ("https://vimeo.com/about", None),
        ("https://vimeo.com/event/4315208", None),
        ("https://vimeo.com/showcase/7008490", None),
        ("https://vimeo.com/showcase/7008490/video/76979871", "https://player.vimeo.com/video/76979871?dnt=1"),
        ("https://youtube.com.example.test/watch?v=aqz-KE-bpKQ", None),
        ("https://example.test/film.mp4", None),
        ("not an address", None),
    ],
)
def test_the_player_of_a_film(address: str, player: str | None) -> None:
    assert player_url(address) == player


def video(**value: object) -> Any:
    block = VideoBlock()
    return block.clean(block.to_python({"title": "A first look", "address": "https://youtu.be/aqz-KE-bpKQ"} | value))


def test_a_film_is_taken() -> None:
    assert video()["title"] == "A first look"


def test_a_film_without_a_title_is_refused() -> None:
    with pytest.raises(ValidationError) as refused:
        video(title="")
    assert "title" in errors_of(refused)


def test_invalid_video_addresses_are_refused_with_a_sentence() -> None:
    with pytest.raises(ValidationError) as refused:
        video(address="https://example.test/film")
    assert "isn’t the address of a YouTube or Vimeo video" in str(errors_of(refused)["address"])


@pytest.mark.parametrize(
    ("pasted", "address"),
    [
        (
            '<iframe width="560" height="315" src="https://www.youtube.com/embed/aqz-KE-bpKQ?si=x1&amp;start=42" '
            'title="YouTube video player" frameborder="0" allow="autoplay" allowfullscreen></iframe>',
            "https://www.youtube.com/embed/aqz-KE-bpKQ?si=x1&start=42",
        ),
        (
            '<div style="padding:56.25% 0 0 0;"><iframe src="https://player.vimeo.com/video/76979871?h=8272103f6e&amp;'
            'badge=0" allow="autoplay; fullscreen" title="Film"></iframe></div>'
            '<script src="https://player.vimeo.com/api/player.js"></script>',
            "https://player.vimeo.com/video/76979871?h=8272103f6e&badge=0",
        ),
    ],
)
def test_the_html_that_providers_offer_is_taken_for_the_address_in_it(pasted: str, address: str) -> None:
    assert video(address=pasted)["address"] == address
    assert VideoBlock().child_blocks["address"].field.widget.input_type == "text"


@pytest.mark.parametrize("pasted", ["<script>alert(1)</script>", "<iframe src=''></iframe>", "my film"])
def test_what_is_no_address_is_refused_with_the_same_sentence(pasted: str) -> None:
    with pytest.raises(ValidationError) as refused:
        video(address=pasted)
    assert "isn’t the address of a YouTube or Vimeo video" in str(errors_of(refused)["address"])


@pytest.mark.parametrize(
    "src", ["https://evil.example/x", "javascript:alert(1)", "https://youtube.com.evil.example/embed/aqz-KE-bpKQ"]
)
def test_html_of_anyone_else_is_refused(src: str) -> None:
    with pytest.raises(ValidationError) as refused:
        video(address=f'<iframe src="{src}"></iframe>')
    assert "isn’t the address of a YouTube or Vimeo video" in str(errors_of(refused)["address"])


def test_a_player_that_pages_may_not_show_is_refused(settings: Any) -> None:
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {"frame-src": ["'self'"]}}
    with pytest.raises(ValidationError) as refused:
        video()
    assert "turned off" in str(errors_of(refused)["address"])


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("", "Choose a page or type an address"),
        ("javascript:alert(1)", "starts with /"),
        ("//example.test/", "with one /"),
        ("example.test", "starts with /"),
    ],
)
def test_a_call_to_action_needs_a_target_a_browser_may_follow(address: str, sentence: str) -> None:
    block = CallToActionBlock()
    with pytest.raises(ValidationError) as refused:
        block.clean(block.to_python({"heading": "Come", "label": "Go", "address": address}))
    assert sentence in str(errors_of(refused)["address"])


@pytest.mark.parametrize("address", ["/catalog/", "https://example.test/", "mailto:hello@example.test"])
def test_a_call_to_action_leads_somewhere(address: str) -> None:
    block = CallToActionBlock()
    cleaned = block.clean(block.to_python({"heading": "Come", "label": "Go", "address": address}))
    assert cleaned["address"] == address


def band(**value: object) -> Any:
    block = OrganizationsBandBlock()
    given = {"text": "Seats.", "address": "/for-organizations/", "seats": 200, "joined": 128, "invited": 22}
    return block.clean(block.to_python(given | {"in_checkout": 3} | value))


def test_the_bands_free_seats_follow_from_the_others() -> None:
    cleaned = band()
    assert (cleaned.taken, cleaned.free) == (131, 47)


def test_the_band_refuses_more_people_than_seats() -> None:
    with pytest.raises(ValidationError) as refused:
        band(joined=198)
    assert "fewer seats than people" in str(errors_of(refused)["seats"])


@pytest.mark.django_db
class TestRequirements:
    def clean(self, *groups: dict[str, Any]) -> Any:
        block = RequirementsBlock()
        return block.clean(block.to_python(list(groups)))

    def test_groups_of_courses_are_taken(self) -> None:
        first, second = make_course(), make_course()
        cleaned = self.clean(
            {"type": "all_of", "value": {"title": "Core", "courses": [first.pk]}},
            {"type": "at_least", "value": {"at_least": 1, "title": "", "courses": [second.pk]}},
        )
        assert [group.block_type for group in cleaned] == ["all_of", "at_least"]

    def test_a_group_can_t_ask_for_more_than_it_has(self) -> None:
        course = make_course()
        with pytest.raises(ValidationError) as refused:
            self.clean({"type": "at_least", "value": {"at_least": 2, "title": "", "courses": [course.pk]}})
        assert "fewer courses than that" in str(errors_of(refused)[0].block_errors["at_least"])

    def test_a_course_counts_once(self) -> None:
        course = make_course(title="Statistics")
        group: dict[str, Any] = {"type": "all_of", "value": {"title": "", "courses": [course.pk]}}
        with pytest.raises(ValidationError) as refused:
            self.clean(group, group)
        assert "“Statistics” is among the requirements twice" in str(errors_of(refused)[1])

    def test_a_group_without_courses_is_refused(self) -> None:
        with pytest.raises(ValidationError):
            self.clean({"type": "all_of", "value": {"title": "", "courses": []}})
