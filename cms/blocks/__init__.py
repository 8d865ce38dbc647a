"""What pages are built from. Two levels deep at most: a block, and a list inside it."""

from cms.blocks.streams import ContentBlocks, CourseBlocks, HomeBlocks, ProgramBlocks

__all__ = ["ContentBlocks", "CourseBlocks", "HomeBlocks", "ProgramBlocks"]
