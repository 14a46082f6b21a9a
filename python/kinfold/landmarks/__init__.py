"""What verified matches tell: which photos show the same thing, where in them it is, and where on Earth."""

from kinfold.base.offered import offered

__getattr__, __dir__ = offered(
    __name__,
    {},
    covisible="kinfold.landmarks.covisible",
    covisible_points="kinfold.landmarks.reconstruction",
    reconstruct="kinfold.landmarks.reconstruction",
    Group="kinfold.landmarks.groups",
    find_groups="kinfold.landmarks.groups",
    clean_classes="kinfold.landmarks.cleaning",
    objects="kinfold.landmarks.objects",
    object_boxes="kinfold.landmarks.boxes",
    estimate_location="kinfold.landmarks.location",
    median_position="kinfold.landmarks.sphere",
    suggest_tags="kinfold.landmarks.tags",
)
