"""The kit for staff pages: our own screens of the Wagtail admin are built from it, in every app."""
