"""Answers that are no pages."""
