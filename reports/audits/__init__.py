"""Audits: whether enrollments, payments and seats agree, and where they don’t."""
