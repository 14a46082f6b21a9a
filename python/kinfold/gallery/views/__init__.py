"""Ways to look at a gallery: functions of a snapshot and of what a search found. None knows the class Gallery."""
