"""What every layer may use. It knows no app.

Values      money, color, clock, text (normalizing, escaping), names (of people), people (lists of them),
            files (replacing one), dates (how days and times are written), zones, countries, search_words,
            addresses (postal), hosts (of web addresses), secrets (encrypted)
Refusals    errors, http (as responses), forms (on a form), ratelimit, fingerprint (of a plan that was shown),
            constraints (in sentences)
Database    db (locks, raw SQL), audit (Wagtail's log), wagtail_hooks (names of its actions),
            deletion (what stands in its way), models, capped_lists (of tables too large to count), paging,
            versions, version_triggers (of what pages show)
Sites       shop (what a site has decided)
Others      remote (deadlines of calls), breaker, broker (queueing tasks), mail, redis
Checks      checks (what the environment sets)
Interfaces  admin, choosers (Django's and Wagtail's admin), console (commands), spreadsheets
Logs        trace (the id that all that follows from a request shares), metrics,
            timeline, timeline_log (what happened to an order, person, code or contract)
"""
