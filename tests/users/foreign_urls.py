"""Addresses that are not ours, written so that a careless check takes them for ours."""

FOREIGN_URLS = [
    "https://evil.example/",
    "//evil.example/",
    "////evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "javascript:alert(1)",
    "http:///evil.example/",
    "https:evil.example",
    " https://evil.example",
    "/\x00/evil",
]
