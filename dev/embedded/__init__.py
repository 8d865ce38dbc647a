"""PostgreSQL and Redis for a machine that has neither: started from the binaries two wheels carry.

For development and tests only. Settings of production never import this package and images do not contain it.
Nothing here imports Django, so that settings may ask for servers while they are being read.
"""
