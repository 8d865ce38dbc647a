"""Videos of both providers play in a page under its content security policy, with and without scripts of ours.

Doubles answer at the providers' addresses with a page that plays; nothing outside is asked.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Request, Route, expect

from tests.browser.conftest import OpenVisitor
from tests.factories.pages import make_content_page

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

ADDRESSES = {
    "https://www.youtube.com/watch?v=aqz-KE-bpKQ": "https://www.youtube-nocookie.com/embed/aqz-KE-bpKQ",
    "https://www.youtube.com/live/5qap5aO4i9A": "https://www.youtube-nocookie.com/embed/5qap5aO4i9A",
    "https://vimeo.com/76979871": "https://player.vimeo.com/video/76979871?dnt=1",
    "https://vimeo.com/76979872/8272103f6e": "https://player.vimeo.com/video/76979872?dnt=1&h=8272103f6e",
}
PLAYER = """<!doctype html><title>Player</title><button>Play</button><p></p><script>
const said = document.querySelector("p");
document.querySelector("button").onclick = () => {
  said.textContent = `playing, cookies: ${document.cookie}, fullscreen: ${document.fullscreenEnabled}`;
};
</script>"""


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_video_plays(open_visitor: OpenVisitor, scripts: bool) -> None:
    blocks = [
        {"type": "video", "value": {"address": address, "title": f"Film {number}", "caption": ""}}
        for number, address in enumerate(ADDRESSES)
    ]
    page = make_content_page("films", body=blocks)
    visitor = open_visitor(scripts=scripts)
    asked: list[Request] = []

    def play(route: Route) -> None:
        asked.append(route.request)
        route.fulfill(body=PLAYER, content_type="text/html")

    visitor.page.context.route(lambda url: "youtube" in url or "vimeo" in url, play)
    visitor.opens(page.get_url())
    for number, player in enumerate(ADDRESSES.values()):
        frame = visitor.page.locator(f'iframe[title="Film {number}"]')
        frame.scroll_into_view_if_needed()
        expect(frame).to_have_attribute("src", player)
        button = frame.content_frame.get_by_role("button", name="Play")
        expect(button).to_be_visible()
        if scripts:  # Chromium switches scripts off in frames too
            button.press("Enter")
            expect(frame.content_frame.locator("p")).to_have_text("playing, cookies: , fullscreen: true")
    assert {request.url for request in asked} == set(ADDRESSES.values())
    # YouTube plays nothing without knowing the site, and isn't told the page.
    assert {request.header_value("referer") for request in asked} == {f"{visitor.base}/"}
