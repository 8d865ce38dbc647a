"""PostgreSQL and Redis for machines without them, started from the binaries in two wheels.

For development and tests only: production settings never import this package and images don't contain it.
Nothing here imports Django, so that settings modules can start servers while they load.
"""
