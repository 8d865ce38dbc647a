"""Signing in through someone else: an organization's Keycloak (OpenID Connect) or the course site (OAuth 2)."""
