"""Take the pictures of docs/images from a running demonstration: `python -m tests.browser.pictures`.

Needs Chromium, and `make run` in another window (or its address as an argument, then names of pictures) with the same
LOCAL_DIR.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final, Literal

import django
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.programs import find_program

PLACE: Final = Path(__file__).parent.parent.parent / "docs/images"
PASSWORD: Final = "tessera-demo"
COLORS: Final = 256
LIMIT: Final = 250 * 1024  # bytes

Prepare = Callable[[Page, str], None]


@dataclass(frozen=True)
class Shot:
    """One picture: where, how large, in which colors, and what happens before it is taken."""

    name: str
    address: str
    width: int = 1280
    height: int = 860
    scheme: Literal["light", "dark"] = "light"
    who: str = ""
    prepare: Prepare | None = None

    @property
    def scale(self) -> float:
        """Pictures of phones are small: two pixels for one."""
        return 2 if self.width < 720 else 1


def shots(*, product_id: int, code: str, contract_id: int) -> list[Shot]:
    """What readers of the README and of the editors' page see."""

    def apply_code(page: Page, base: str) -> None:
        page.get_by_label("Enrollment or discount code").fill(code)
        page.get_by_role("button", name="Apply").click()
        page.get_by_role("heading", name="Ready to start").wait_for()

    def raise_cap(page: Page, base: str) -> None:
        """Write other terms and press “Publish”; the draft stays in the demonstration."""
        page.locator("[name=max_learners]").fill("240")
        page.get_by_role("button", name="More actions").click()
        page.get_by_role("button", name="Publish", exact=True).click()
        page.get_by_role("heading", name="Publish these terms?").wait_for()

    def add_ethics(page: Page, base: str) -> None:
        page.get_by_role("button", name="Choose course", exact=True).click()
        page.get_by_role("dialog").get_by_role("link", name="Ethics when machines decide").click()
        page.get_by_role("button", name="See the plan").click()
        page.get_by_text("What will happen:").wait_for()

    course = "/courses/course-v1:Tessera+PY101/"
    workbench, carla = f"/cms/contracts/{contract_id}", "contracts@tessera.example"
    amara = "amara.okafor@northgate.example"
    return [
        Shot("home", "/"),
        Shot("catalog", "/catalog/?level=intro", height=900),
        Shot("course-dark", course, scheme="dark", height=900),
        Shot("course-phone", course, width=390, height=844),
        Shot("cart", f"/cart/add/?product_id={product_id}", height=640, prepare=apply_code),
        Shot("redeem", f"/enrollmentcode/{code}/", height=760),
        Shot("dashboard-phone-dark", "/dashboard/", width=390, height=844, scheme="dark", who=amara),
        Shot("organizations", "/cms/organizations/", height=420, who=carla),
        Shot("contract-terms", f"{workbench}/", height=720, who=carla),
        Shot("contract-courseware", f"{workbench}/courseware/add/", height=1280, who=carla, prepare=add_ethics),
        Shot("contract-codes", f"{workbench}/codes/?state=assigned", height=620, who=carla),
        Shot("contract-plan", f"/cms/pages/{contract_id}/edit/", height=760, who=carla, prepare=raise_cap),
    ]


def take(browser: Browser, shot: Shot, base: str) -> bytes:
    """The picture as a PNG of few colors."""
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        device_scale_factor=shot.scale,
        color_scheme=shot.scheme,
        reduced_motion="reduce",
    )
    page = context.new_page()
    if shot.who:
        page.goto(f"{base}/login/")
        page.get_by_label("Email").fill(shot.who)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
    page.goto(base + shot.address)
    if shot.prepare:
        shot.prepare(page, base)
    page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    page.wait_for_load_state("networkidle")
    picture = page.screenshot(animations="disabled")
    context.close()
    return smaller(picture)


def smaller(picture: bytes) -> bytes:
    """Reduce the picture to a palette. Raises ValueError where it stays too large for a page of documentation."""
    file = BytesIO()
    reduced = Image.open(BytesIO(picture)).convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
    reduced.save(file, "PNG", optimize=True)
    if len(file.getvalue()) > LIMIT:
        raise ValueError(f"{len(file.getvalue())} bytes are more than {LIMIT}.")
    return file.getvalue()


def main(base: str, only: Sequence[str]) -> None:
    """Take every picture, or only these."""
    from b2b.models import ContractPage  # noqa: PLC0415 – models can be imported once Django is set up
    from ecommerce.models import DiscountCode  # noqa: PLC0415 – models can be imported once Django is set up

    free = {"active": True, "uses": 0, "assigned_email": "", "discount__amount": 0}
    found = DiscountCode.objects.filter(**free, discount__unlocks__course_run__live=True).select_related("discount")
    code = found.order_by("pk")[0]
    contract = ContractPage.objects.get(name="Clinical skills 2027")
    wanted = shots(product_id=code.discount.unlocks_id or 0, code=code.text, contract_id=contract.pk)
    wanted = [shot for shot in wanted if not only or shot.name in only]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_program("chromium"), args=["--no-sandbox"])
        for shot in wanted:
            picture = take(browser, shot, base)
            (PLACE / f"{shot.name}.png").write_bytes(picture)
            sys.stdout.write(f"{shot.name}.png  {len(picture) // 1024} KiB\n")
        browser.close()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mitxonline.settings.dev")
    django.setup()
    main(sys.argv[1] if len(sys.argv) > 1 else f"http://127.0.0.1:{os.environ.get('PORT', '8000')}", sys.argv[2:])
