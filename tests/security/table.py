"""Who gets what at every address. The one place where that is written down, beside the code that enforces it.

Eight letters, one for each of: anonymous, learner, another learner, manager of an organization, editor, someone who
looks after contracts, finance, administrator. The learner has an order, a second payment and an open payment page; the
manager manages the organization whose contract, codes and seat the examples name.

    o  is shown or done        l  is sent to sign in      r  is sent elsewhere
    n  not found               f  forbidden               m  no such method here
    b  bad request             u  a form with errors      c  refused, with a sentence      t  too many tries
    g  can't be used any more

``get`` is what looking answers, ``post`` what an empty form answers; nothing it does stays done.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One of our own addresses. ``path``: an example, where the route's parts that vary have to be of this world."""

    route: str
    get: str
    post: str
    path: str = ""


@dataclass(frozen=True)
class Prefix:
    """What a library answers below a prefix; the longest one counts, ``=`` means this very route.

    Five letters: anonymous, learner, editor, contracts, finance. ``l``: has to sign in; ``x``: is kept out, however it
    is said; ``*``: the library decides by the groups' permissions.
    """

    start: str
    who: str


ROWS: tuple[Row, ...] = (
    Row("health/", "oooooooo", "mmmmmmmm"),
    Row("admin/login/", "lrrrrrrr", "lrrrrrrr"),
    Row("admin/logout/", "rooooooo", "rrrrrrrr"),
    Row("cms/login/", "lrrrrrrr", "lrrrrrrr"),
    Row("_util/login/", "lrrrrrrr", "lrrrrrrr"),
    Row("cms/logout/", "rooooooo", "rrrrrrrr"),
    Row("login/", "orrrrrrr", "orrrrrrr"),
    Row("login/connect/", "llllllll", "llllllll"),
    Row("login/connect/<str:token>/", "gggggggg", "gggggggg"),
    Row("login/<slug:provider_name>/", "mmmmmmmm", "nnnnnnnn", "login/keycloak/"),
    Row("complete/<slug:provider_name>/", "nnnnnnnn", "mmmmmmmm", "complete/keycloak/"),
    Row("sso/<slug:provider_name>/logout/", "mmmmmmmm", "nnnnnnnn", "sso/keycloak/logout/"),
    Row("logout/", "rooooooo", "rrrrrrrr"),
    Row("logout/done/", "rrrrrrrr", "mmmmmmmm"),
    Row("account/connections/<int:connection_id>/disconnect/", "lrrrrrrr", "lrrrrrrr"),
    Row("register/", "orrrrrrr", "orrrrrrr"),
    Row("password-reset/", "oooooooo", "oooooooo"),
    Row("password-reset/sent/", "oooooooo", "mmmmmmmm"),
    Row("password-reset/<uidb64>/<token>/", "oooooooo", "oooooooo"),
    Row("verify-email/<str:token>/", "rrrrrrrr", "rrrrrrrr"),
    Row("account/", "looooooo", "looooooo"),
    Row("account/password/", "looooooo", "looooooo"),
    Row("account/email/", "looooooo", "looooooo"),
    Row("account/email/<str:token>/", "rrrrrrrr", "rrrrrrrr"),
    Row("account/verify-email/", "mmmmmmmm", "lrrrrrrr"),
    Row("cms/reports/page-types-usage/", "llllooro", "llllmmrm"),
    Row("cms/reports/page-types-usage/results/", "llllooro", "llllmmrm"),
    Row("cms/shop/discounts/", "llllrroo", "llllrrmm"),
    Row("cms/shop/discounts/results/", "llllrroo", "llllrrmm"),
    Row("cms/shop/discounts/new/", "llllrroo", "llllrruu"),
    Row("cms/shop/discounts/<int:pk>/", "llllrroo", "llllrrmm", "cms/shop/discounts/{discount}/"),
    Row("cms/shop/discounts/<int:pk>/results/", "llllrroo", "llllrrmm", "cms/shop/discounts/{discount}/results/"),
    Row("cms/shop/discounts/<int:pk>/change/", "llllrroo", "llllrruu", "cms/shop/discounts/{discount}/change/"),
    Row("cms/shop/discounts/<int:pk>/more/", "llllrroo", "llllrruu", "cms/shop/discounts/{discount}/more/"),
    Row("cms/shop/discounts/<int:pk>/pause/", "llllrrmm", "llllrrrr", "cms/shop/discounts/{discount}/pause/"),
    Row("cms/shop/discounts/<int:pk>/resume/", "llllrrmm", "llllrrrr", "cms/shop/discounts/{discount}/resume/"),
    Row("cms/shop/discounts/<int:pk>/history/", "llllnnoo", "llllnnmm", "cms/shop/discounts/{discount}/history/"),
    Row(
        "cms/shop/discounts/<int:pk>/history/results/",
        "llllnnoo",
        "llllnnmm",
        "cms/shop/discounts/{discount}/history/results/",
    ),
    Row("cms/shop/discounts/code/<int:code_pk>/", "llllrroo", "llllrrrr", "cms/shop/discounts/code/{discount_code}/"),
    Row(
        "cms/shop/discounts/code/<int:code_pk>/pause/",
        "llllrrmm",
        "llllrrrr",
        "cms/shop/discounts/code/{discount_code}/pause/",
    ),
    Row(
        "cms/shop/discounts/code/<int:code_pk>/resume/",
        "llllrrmm",
        "llllrrrr",
        "cms/shop/discounts/code/{discount_code}/resume/",
    ),
    Row("cms/snippets/choose/courses/course/", "lllloooo", "llllmmmm"),
    Row("cms/snippets/choose/courses/course/results/", "lllloooo", "llllmmmm"),
    Row("cms/snippets/choose/courses/courserun/", "lllloooo", "llllmmmm"),
    Row("cms/snippets/choose/courses/courserun/results/", "lllloooo", "llllmmmm"),
    Row("cms/snippets/choose/courses/program/", "lllloooo", "llllmmmm"),
    Row("cms/snippets/choose/courses/program/results/", "lllloooo", "llllmmmm"),
    Row("cms/snippets/choose/courses/department/", "lllloooo", "llllmmmm"),
    Row("cms/snippets/choose/courses/department/results/", "lllloooo", "llllmmmm"),
    Row("cms/snippets/choose/courses/topic/", "lllloooo", "llllmmmm"),
    Row("cms/snippets/choose/courses/topic/results/", "lllloooo", "llllmmmm"),
    Row("cms/snippets/choose/ecommerce/product/", "lllloooo", "llllmmmm"),
    Row("cms/snippets/choose/ecommerce/product/results/", "lllloooo", "llllmmmm"),
    Row("cms/organizations/", "llllooro", "llllmmrm"),
    Row("cms/organizations/results/", "llllooro", "llllmmrm"),
    Row("cms/organizations/<int:pk>/", "llllooro", "llllmmrm", "cms/organizations/{organization}/"),
    Row("cms/contracts/", "llllroro", "llllrmrm"),
    Row("cms/contracts/results/", "llllroro", "llllrmrm"),
    Row("cms/contracts/<int:pk>/", "llllroro", "llllrmrm", "cms/contracts/{contract}/"),
    Row(
        "cms/contracts/<int:pk>/publish/<int:revision_id>/",
        "llllrnrn",
        "llllrnrn",
        "cms/contracts/{contract}/publish/1/",
    ),
    Row("cms/contracts/<int:pk>/courseware/", "llllroro", "llllrmrm", "cms/contracts/{contract}/courseware/"),
    Row("cms/contracts/<int:pk>/courseware/add/", "llllroro", "llllruru", "cms/contracts/{contract}/courseware/add/"),
    Row(
        "cms/contracts/<int:pk>/courseware/<int:row_id>/remove/",
        "llllroro",
        "llllroro",
        "cms/contracts/{contract}/courseware/{courseware}/remove/",
    ),
    Row("cms/contracts/<int:pk>/codes/", "llllroro", "llllrmrm", "cms/contracts/{contract}/codes/"),
    Row("cms/contracts/<int:pk>/codes/results/", "llllroro", "llllrmrm", "cms/contracts/{contract}/codes/results/"),
    Row("cms/contracts/<int:pk>/codes/assign/", "llllroro", "llllruru", "cms/contracts/{contract}/codes/assign/"),
    Row(
        "cms/contracts/<int:pk>/codes/<int:code_id>/assign/",
        "llllroro",
        "llllruru",
        "cms/contracts/{contract}/codes/{code_id}/assign/",
    ),
    Row(
        "cms/contracts/<int:pk>/codes/<int:code_id>/revoke/",
        "llllroro",
        "llllrrrr",
        "cms/contracts/{contract}/codes/{code_id}/revoke/",
    ),
    Row(
        "cms/contracts/<int:pk>/codes/<int:code_id>/remind/",
        "llllrmrm",
        "llllrrrr",
        "cms/contracts/{contract}/codes/{code_id}/remind/",
    ),
    Row(
        "cms/contracts/<int:pk>/codes/<int:code_id>/replace/",
        "llllrnrn",
        "llllrnrn",
        "cms/contracts/{contract}/codes/{code_id}/replace/",
    ),
    Row("cms/contracts/<int:pk>/invitations/", "llllroro", "llllrmrm", "cms/contracts/{contract}/invitations/"),
    Row(
        "cms/contracts/<int:pk>/invitations/results/",
        "llllroro",
        "llllrmrm",
        "cms/contracts/{contract}/invitations/results/",
    ),
    Row(
        "cms/contracts/<int:pk>/invitations/<int:hand_out_id>/cancel/",
        "llllrnrn",
        "llllrnrn",
        "cms/contracts/{contract}/invitations/1/cancel/",
    ),
    Row(
        "cms/contracts/<int:pk>/codes/export/csv/", "llllroro", "llllrmrm", "cms/contracts/{contract}/codes/export/csv/"
    ),
    Row(
        "cms/contracts/<int:pk>/codes/export/xlsx/",
        "llllroro",
        "llllrmrm",
        "cms/contracts/{contract}/codes/export/xlsx/",
    ),
    Row("cms/contracts/<int:pk>/members/", "llllroro", "llllrmrm", "cms/contracts/{contract}/members/"),
    Row("cms/contracts/<int:pk>/members/results/", "llllroro", "llllrmrm", "cms/contracts/{contract}/members/results/"),
    Row("cms/contracts/<int:pk>/members/add/", "llllroro", "llllruru", "cms/contracts/{contract}/members/add/"),
    Row(
        "cms/contracts/<int:pk>/members/<int:seat_id>/remove/",
        "llllroro",
        "llllruru",
        "cms/contracts/{contract}/members/{seat}/remove/",
    ),
    Row(
        "cms/contracts/<int:pk>/members/<int:seat_id>/move/",
        "llllroro",
        "llllruru",
        "cms/contracts/{contract}/members/{seat}/move/",
    ),
    Row("cms/contracts/<int:pk>/activity/", "llllroro", "llllrmrm", "cms/contracts/{contract}/activity/"),
    Row("cms/orders/", "llllrroo", "llllrrmm"),
    Row("cms/orders/results/", "llllrroo", "llllrrmm"),
    Row("cms/orders/<int:pk>/", "llllrroo", "llllrruu", "cms/orders/{order}/"),
    Row("cms/courses/<int:pk>/", "lllloooo", "llllmmmm", "cms/courses/{course}/"),
    Row("cms/courses/runs/<int:pk>/copy/", "llllorro", "llllurru", "cms/courses/runs/{public_run}/copy/"),
    Row(
        "cms/snippets/courses/course/edit/<int:pk>/",
        "llllorro",
        "llllorro",
        "cms/snippets/courses/course/edit/{course}/",
    ),
    Row(
        "cms/snippets/courses/courserun/edit/<int:pk>/",
        "llllorro",
        "llllorro",
        "cms/snippets/courses/courserun/edit/{public_run}/",
    ),
    Row("cms/snippets/courses/program/edit/<int:pk>/", "llllnnnn", "llllnnnn"),
    Row("cms/snippets/cms/instructor/edit/<int:pk>/", "llllnnnn", "llllnnnn"),
    Row(
        "cms/snippets/courses/department/edit/<int:pk>/",
        "llllorro",
        "llllorro",
        "cms/snippets/courses/department/edit/{department}/",
    ),
    Row("cms/snippets/ecommerce/product/add/", "llllrroo", "llllrroo"),
    Row(
        "cms/snippets/ecommerce/product/edit/<int:pk>/",
        "llllrroo",
        "llllrroo",
        "cms/snippets/ecommerce/product/edit/{product}/",
    ),
    Row("cms/shop/unpriced/", "llllrroo", "llllrrmm"),
    Row("cms/shop/unpriced/results/", "llllrroo", "llllrrmm"),
    Row("cms/users/edit/<int:pk>/", "llllrrro", "llllrrro", "cms/users/edit/{member}/"),
    Row("cms/groups/edit/<int:pk>/", "llllrrro", "llllrrro"),
    Row("cms/pages-to-do/", "llllooro", "llllmmrm"),
    Row("cms/pages-to-do/results/", "llllooro", "llllmmrm"),
    Row("cms/snippets/ecommerce/product/", "lllloroo", "llllmrmm"),
    Row("cms/snippets/ecommerce/product/results/", "lllloroo", "llllmrmm"),
    Row("cms/contracts/failed-mails/", "llllroro", "llllrmrm"),
    Row("cms/contracts/failed-mails/results/", "llllroro", "llllrmrm"),
    Row("cms/contracts/failed-mails/<int:mail_id>/send/", "llllrmrm", "llllrnrn", "cms/contracts/failed-mails/1/send/"),
    Row("cms/contracts/seat-requests/", "llllroro", "llllrmrm"),
    Row("cms/contracts/seat-requests/results/", "llllroro", "llllrmrm"),
    Row(
        "cms/contracts/<int:pk>/seat-requests/<int:request_id>/",
        "llllroro",
        "llllrrrr",
        "cms/contracts/{contract}/seat-requests/{asked}/",
    ),
    Row("cms/organizations/<int:pk>/people/", "llllroro", "llllrmrm", "cms/organizations/{organization}/people/"),
    Row(
        "cms/organizations/<int:pk>/people/results/",
        "llllroro",
        "llllrmrm",
        "cms/organizations/{organization}/people/results/",
    ),
    Row(
        "cms/organizations/<int:pk>/managers/add/",
        "llllroro",
        "llllruru",
        "cms/organizations/{organization}/managers/add/",
    ),
    Row(
        "cms/organizations/<int:pk>/people/<int:user_id>/manager/",
        "llllrmrm",
        "llllrrrr",
        "cms/organizations/{organization}/people/{member}/manager/",
    ),
    Row(
        "cms/organizations/<int:pk>/people/<int:user_id>/no-manager/",
        "llllrmrm",
        "llllrrrr",
        "cms/organizations/{organization}/people/{member}/no-manager/",
    ),
    Row("cms/orders/<int:pk>/refund/", "llllrroo", "llllrruu", "cms/orders/{order}/refund/"),
    Row("cms/orders/<int:pk>/undo/", "llllrrrr", "llllrruu", "cms/orders/{order}/undo/"),
    Row("cms/orders/<int:pk>/deny/", "llllrrrr", "llllrrrr", "cms/orders/{order}/deny/"),
    Row("cms/orders/<int:pk>/fulfill/", "llllrroo", "llllrruu", "cms/orders/{order}/fulfill/"),
    Row("cms/orders/<int:pk>/cancel/", "llllrroo", "llllrruu", "cms/orders/{order}/cancel/"),
    Row("cms/orders/<int:pk>/check/", "llllrrmm", "llllrrrr", "cms/orders/{order}/check/"),
    Row("cms/orders/<int:pk>/receipt/", "llllrrmm", "llllrrrr", "cms/orders/{order}/receipt/"),
    Row(
        "cms/orders/<int:pk>/second/<int:refund_id>/send/",
        "llllrroo",
        "llllrrrr",
        "cms/orders/{order}/second/{marked}/send/",
    ),
    Row(
        "cms/orders/<int:pk>/second/<int:refund_id>/keep/",
        "llllrroo",
        "llllrruu",
        "cms/orders/{order}/second/{marked}/keep/",
    ),
    Row(
        "cms/orders/<int:pk>/refunds/<int:refund_id>/accept/",
        "llllrroo",
        "llllrruu",
        "cms/orders/{order}/refunds/{marked}/accept/",
    ),
    Row("cms/refunds/", "llllrroo", "llllrrmm"),
    Row("cms/refunds/results/", "llllrroo", "llllrrmm"),
    Row("cms/users/", "llllrrro", "llllrrrm"),
    Row("cms/users/results/", "llllrrro", "llllrrrm"),
    Row(r"documents/(\d+)/(.*)", "nnnnnnnn", "nnnnnnnn", "documents/1/x.pdf"),
    Row("documents/authenticate_with_password/<int:restriction_id>/", "nnnnnnnn", "nnnnnnnn"),
    Row("i18n/setlang/", "rrrrrrrr", "rrrrrrrr"),
    Row("payment/webhook/", "mmmmmmmm", "nnnnnnnn"),
    Row("payment/<slug:gateway>/webhook/", "mmmmmmmm", "bbbbbbbb", "payment/sandbox/webhook/"),
    Row(
        "covers/<int:version>/<slug:shape>/<slug:palette>-<hex32:seed>.svg",
        "nnnnnnnn",
        "mmmmmmmm",
        "covers/1/card/computing-00000000.svg",
    ),
    Row(
        "covers/<int:version>/social/<slug:palette>-<hex32:seed>.png",
        "nnnnnnnn",
        "mmmmmmmm",
        "covers/1/social/computing-00000000.png",
    ),
    Row("calendar/<int:run_id>.ics", "nnnnnnnn", "mmmmmmmm", "calendar/0.ics"),
    Row("brand.css", "oooooooo", "mmmmmmmm"),
    Row("brand-mark.svg", "oooooooo", "mmmmmmmm"),
    Row("favicon.ico", "oooooooo", "mmmmmmmm"),
    Row("apple-touch-icon.png", "oooooooo", "mmmmmmmm"),
    Row("robots.txt", "oooooooo", "mmmmmmmm"),
    Row("style-guide/", "oooooooo", "rrrrrrrr"),
    Row("search/suggestions/", "oooooooo", "mmmmmmmm"),
    Row("instructors/<slug:slug>/", "nnnnnnnn", "mmmmmmmm", "instructors/mirela-radu/"),
    Row("cart/", "oooooooo", "mmmmmmmm"),
    Row("cart/add/", "rrrrrrrr", "rrrrrrrr"),
    Row("basket/add/", "rrrrrrrr", "rrrrrrrr"),
    Row("cart/starts/", "mmmmmmmm", "rrrrrrrr"),
    Row("cart/remove/", "mmmmmmmm", "rrrrrrrr"),
    Row("cart/code/", "mmmmmmmm", "uuuuuuuu"),
    Row("cart/code/remove/", "mmmmmmmm", "rrrrrrrr"),
    Row("cart/keep/", "mmmmmmmm", "rrrrrrrr"),
    Row("cart/back/", "mmmmmmmm", "rrrrrrrr"),
    Row("cart/header/", "oooooooo", "mmmmmmmm"),
    Row("cart/leave/", "mmmmmmmm", "rrrrrrrr"),
    Row("checkout/", "rrrrrrrr", "lrrrrrrr"),
    Row("checkout/receipt/", "lonnnnnn", "lmmmmmmm", "checkout/receipt/?order_number={number}"),
    Row("payment/completed/<uuid:reference>/", "lrnnnnnn", "lmmmmmmm", "payment/completed/{reference}/"),
    Row("payment/canceled/<uuid:reference>/", "lrnnnnnn", "lmmmmmmm", "payment/canceled/{reference}/"),
    Row("checkout/receipt/pdf/", "lonnnnnn", "lmmmmmmm", "checkout/receipt/pdf/?order_number={number}"),
    Row("orders/history/", "looooooo", "lmmmmmmm"),
    Row("orders/refund/", "lonnnnnn", "lcnnnnnn", "orders/refund/?order_number={number}"),
    Row("redeem/", "oooooooo", "uuuuuuuu"),
    Row("enrollmentcode/", "oooooooo", "uuuuuuuu"),
    Row("enrollmentcode/<path:code>/", "oooooooo", "lrrrrrrr", "enrollmentcode/{code}/"),
    Row("dashboard/", "looooooo", "lmmmmmmm"),
    Row("dashboard/start/", "lmmmmmmm", "lnnnnnnn"),
    Row("enroll/", "mmmmmmmm", "lnnnnnnn"),
    Row("manage-seats/", "looroooo", "lmmmmmmm"),
    Row("organizations/<str:slug>/manage/", "lnnonnnn", "lmmmmmmm", "organizations/{slug}/manage/"),
    Row(
        "organizations/<str:slug>/manage/<int:contract_id>/",
        "lnnonnnn",
        "lmmmmmmm",
        "organizations/{slug}/manage/{contract}/",
    ),
    Row("organizations/<str:slug>/manage/people/", "lnnonnnn", "lmmmmmmm", "organizations/{slug}/manage/people/"),
    Row(
        "organizations/<str:slug>/manage/people/<int:seat_id>/withdraw/",
        "lnnonnnn",
        "lnnrnnnn",
        "organizations/{slug}/manage/people/{seat}/withdraw/",
    ),
    Row(
        "organizations/<str:slug>/manage/<int:contract_id>/more-seats/",
        "lnnonnnn",
        "lnnunnnn",
        "organizations/{slug}/manage/{contract}/more-seats/",
    ),
    Row(
        "organizations/<str:slug>/manage/<int:contract_id>/hand-out/",
        "lnnonnnn",
        "lnnunnnn",
        "organizations/{slug}/manage/{contract}/hand-out/",
    ),
    Row(
        "organizations/<str:slug>/manage/<int:contract_id>/selected/",
        "lmmmmmmm",
        "lnnrnnnn",
        "organizations/{slug}/manage/{contract}/selected/",
    ),
    Row(
        "organizations/<str:slug>/manage/<int:contract_id>/replace/<int:run_id>/",
        "lnnnnnnn",
        "lnnnnnnn",
        "organizations/{slug}/manage/{contract}/replace/{run}/",
    ),
    Row(
        "organizations/<str:slug>/manage/<int:contract_id>/codes.csv",
        "lnnonnnn",
        "lmmmmmmm",
        "organizations/{slug}/manage/{contract}/codes.csv",
    ),
    Row(
        "organizations/<str:slug>/manage/<int:contract_id>/redemptions.<filekind:kind>",
        "lnnonnnn",
        "lmmmmmmm",
        "organizations/{slug}/manage/{contract}/redemptions.csv",
    ),
    Row("organizations/<path:rest>/", "lnnonnnn", "lmmmmmmm", "organizations/{slug}/"),
    Row("payment/sandbox/<uuid:reference>/", "lonnnnnn", "lnnnnnnn", "payment/sandbox/{reference}/"),
    Row("media/(?P<path>.*)", "nnnnnnnn", "nnnnnnnn", "media/x.png"),
    Row("sitemap.xml", "oooooooo", "oooooooo"),
    Row(r"((?:[\w\-]+/)+[\w.\-]+:[^/]+/)", "nnnnnnnn", "nnnnnnnn", "courses/course-v1:X+Y/"),
    Row("_util/authenticate_with_password/<int:page_view_restriction_id>/<int:page_id>/", "nnnnnnnn", "nnnnnnnn"),
    Row(r"((?:[\w\-]+/)*)", "nnnnnnnn", "nnnnnnnn"),
)

EVERYBODY_IN_THE_ADMIN, EDITORS_ONLY, NOBODY_BUT_ADMINISTRATORS = "ll***", "ll*xx", "llxxx"

LIBRARIES: tuple[Prefix, ...] = (
    # Django's administration: staff alone, and of finance only what its group may look at.
    Prefix("admin/", NOBODY_BUT_ADMINISTRATORS.replace("xxx", "llx")),
    Prefix("=admin/", "llll*"),
    Prefix("admin/jsi18n/", "llll*"),
    Prefix("admin/password_change/", "llll*"),
    Prefix("admin/ecommerce/", "llll*"),
    Prefix("admin/taggit/tag/merge-tags/", "llll*"),
    # Wagtail's: whoever is in one of its groups; the rest by what the groups may do.
    Prefix("cms/", NOBODY_BUT_ADMINISTRATORS),
    Prefix("=cms/", EVERYBODY_IN_THE_ADMIN),
    Prefix("cms/jsi18n/", "*****"),
    Prefix("cms/sprite/", "*****"),
    Prefix("cms/password_reset/", "xxxxx"),
    Prefix("cms/account/", EVERYBODY_IN_THE_ADMIN),
    Prefix("cms/api/main/", EVERYBODY_IN_THE_ADMIN),
    Prefix("cms/choose-", EVERYBODY_IN_THE_ADMIN),
    Prefix("cms/dismissibles/", EVERYBODY_IN_THE_ADMIN),
    Prefix("cms/documents/", "ll**x"),
    Prefix("cms/documents/chooser/", EVERYBODY_IN_THE_ADMIN),
    Prefix("cms/embeds/chooser/", EVERYBODY_IN_THE_ADMIN),
    Prefix("cms/images/", "ll**x"),
    Prefix("cms/images/chooser/", EVERYBODY_IN_THE_ADMIN),
    Prefix("cms/pages/", EVERYBODY_IN_THE_ADMIN),
    Prefix("cms/course_pages/", "ll**x"),
    Prefix("cms/program_pages/", "ll**x"),
    Prefix("cms/course_pages/choose_parent/", EVERYBODY_IN_THE_ADMIN),
    Prefix("cms/program_pages/choose_parent/", EVERYBODY_IN_THE_ADMIN),
    Prefix("cms/forms/", "ll**x"),
    Prefix("cms/reports/", "ll**x"),
    Prefix("cms/reports/site-history/", EVERYBODY_IN_THE_ADMIN),
    Prefix("cms/snippets/choose/", EVERYBODY_IN_THE_ADMIN),
    Prefix("cms/snippets/cms/", EDITORS_ONLY),
    Prefix("cms/snippets/courses/", "ll**x"),
    Prefix("cms/snippets/courses/department/", EDITORS_ONLY),
    Prefix("cms/snippets/courses/topic/", EDITORS_ONLY),
    Prefix("cms/snippets/ecommerce/product/", "ll*x*"),
    Prefix("cms/snippets/ecommerce/product/add/", "llxx*"),
    Prefix("cms/snippets/ecommerce/product/edit/", "llxx*"),
    Prefix("cms/snippets/ecommerce/product/delete/", NOBODY_BUT_ADMINISTRATORS),
    Prefix("cms/tag-autocomplete/", EVERYBODY_IN_THE_ADMIN),
    Prefix("cms/test404/", EVERYBODY_IN_THE_ADMIN),
    Prefix("cms/workflows/task_chooser/", EVERYBODY_IN_THE_ADMIN),
)

# Raises an error on purpose, so that an administrator can see the page for it.
LEFT_OUT = frozenset({"cms/failwhale/"})
