"""Bone by bone: what the command line and the Slicer module both do.

It lies above `register`, `deform`, `overlays` and `results`, and below `cli`. The field is blended in one
place, `blend_of`.
"""

from .bodies import Bodies, articulated, require_ct, step_in_words
from .files import write_articulated
from .now import blend_of, how_far, moved_views, overlay_now, plan_at_rest

__all__ = [
    "Bodies",
    "articulated",
    "blend_of",
    "how_far",
    "moved_views",
    "overlay_now",
    "plan_at_rest",
    "require_ct",
    "step_in_words",
    "write_articulated",
]
