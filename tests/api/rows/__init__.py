"""Who gets what from each operation: a module for each subject.

Each has `ROWS`, and `make_things`, which adds to the world what its rows' addresses name.
"""
