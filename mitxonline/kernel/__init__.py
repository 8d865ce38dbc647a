"""What every layer may use. It knows no app.

Values      money, color, clock, text and addresses (reading what people type), files
Refusals    errors, http (how a refusal becomes a response), ratelimit, fingerprint (of a plan that was shown)
Database    db (locks, raw SQL), audit (Wagtail's log)
Others      remote (deadlines of calls), breaker, broker (queueing tasks), mail
Interfaces  admin, choosers (Django's and Wagtail's admin), console (commands), spreadsheets
Logs        trace (the id that all that follows from a request shares)
"""
