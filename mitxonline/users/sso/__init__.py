"""Signing in through somebody else: an organization's Keycloak (OpenID Connect) or the course site (OAuth 2)."""
