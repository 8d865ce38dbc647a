"""A site to look at: an invented brand with courses, programs, organizations and people.

What is there is left alone, so that loading twice changes nothing; dates are reckoned from today, and where a course
has run out of starts the next loading gives it a new one.
"""
