"""How dates are written where Django's own format for a language isn't ours."""
