"""The cache of pages that all anonymous visitors share (docs/adr/0044)."""

from mitxonline.settings.env import env, positive

SHARED_PAGES = env.bool("SHARED_PAGES", True)

# What pages show, by the name of its version. A change of any row of these models, by whatever means, advances the
# version in the same transaction. A page that reads another table of ours is not kept, and the log names the table.
VERSIONS: dict[str, list[str]] = {
    "brand": ["cms.SiteBrand", "wagtailcore.Site", "wagtailcore.Locale"],
    "menus": ["cms.SiteMenus", "cms.HeaderLink", "cms.FooterLink"],
    "catalog": [
        "courses.Course",
        "courses.Course_topics",
        "courses.CourseRun",
        "courses.Department",
        "courses.Program",
        "courses.ProgramRequirement",
        "courses.Topic",
    ],
    "prices": ["ecommerce.Product", "ecommerce.ShopSettings"],
    "content": [
        "cms.CatalogPage",
        "cms.ContentPage",
        "cms.CourseIndexPage",
        "cms.CoursePage",
        "cms.HomePage",
        "cms.Instructor",
        "cms.ProductIndexPage",
        "cms.ProductPage",
        "cms.ProgramIndexPage",
        "cms.ProgramPage",
        "cms.SearchDocument",
        "contenttypes.ContentType",
        "wagtailcore.Collection",
        "wagtailcore.CollectionViewRestriction",
        "wagtailcore.CollectionViewRestriction_groups",
        "wagtailcore.Page",
        "wagtailcore.PageViewRestriction",
        "wagtailcore.PageViewRestriction_groups",
        "wagtaildocs.Document",
        "wagtailembeds.Embed",
        "wagtailimages.Image",
        "wagtailimages.Rendition",
        "wagtailredirects.Redirect",
    ],
}
VERSIONS_KEY = "tessera:versions"  # of what is kept in Redis
# For so long Redis may vouch for the versions after the database confirmed them. Whoever changes something while Redis
# can't be told waits that long before answering, so that no one reads the old page after the answer.
VERSIONS_LEASE_SECONDS = 5.0
# Whether each web process has a connection on which it hears of changes made elsewhere, such as SQL by hand. Without it
# those take a lease's length to show. Behind a pooler that gives each transaction another session nothing is heard.
SHARED_PAGES_LISTEN = env.bool("SHARED_PAGES_LISTEN", True)
# A page waits at most so long for Redis.
VERSIONS_PATIENCE_SECONDS = 0.5
# For so long pages are answered as they last were while the database is away.
SHARED_PAGES_OUTAGE_SECONDS = positive("SHARED_PAGES_OUTAGE_SECONDS", 600)

# Parameters that pages read. Others have no part in a shared page; links of campaigns add them.
SHARED_PARAMETERS = [
    "q",
    "department",
    "topic",
    "start",
    "level",
    "price",
    "language",
    "country",
    "instructor",
    "sort",
    "page",
]
SHARED_PARAMETERS_LENGTH = 300  # longer ones are answered without the cache
# How many pages with parameters are newly kept within ten minutes, so that made-up ones can't fill Redis.
SHARED_PARAMETERS_KEPT = 500
# Whoever sends one of these isn't anonymous, besides the cookies of sessions and languages.
SHARED_PERSONAL_COOKIES = ["cart", "messages"]
# Its value decides whether the announcement is shown.
SHARED_ANNOUNCEMENT_COOKIE = "announcement"
# No page is kept longer, whatever its next change.
SHARED_PAGES_KEPT_SECONDS = 3600
# How long others wait for the one who draws a page, before they draw it too.
SHARED_PAGES_WAIT_SECONDS = 3.0
# For how long a shared cache (a CDN) may answer without asking here. With 0 it asks each time, so that it never shows
# an old price. More is faster, and wrong for so long after a change.
SHARED_PAGES_CDN_SECONDS = positive("SHARED_PAGES_CDN_SECONDS", 0)

VERSIONS_BEAT_SCHEDULE = {
    "compact-versions": {"task": "mitxonline.kernel.tasks.compact_versions", "schedule": 24 * 3600.0},
}
