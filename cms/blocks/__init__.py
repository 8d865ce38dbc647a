"""What pages are built from. Two levels deep at most: a block, and a list inside it."""
