"""Courses and programs."""
