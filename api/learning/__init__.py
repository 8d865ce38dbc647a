"""Enrollments."""
