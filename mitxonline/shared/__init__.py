"""Pages that all anonymous visitors share are answered from a cache that is never wrong (docs/adr/0044).

Imports no app: what a page shows is in `settings.VERSIONS`, and a view says by `mark_shared` that it may be kept.
"""
