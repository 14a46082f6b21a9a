"""Builds these pages: `sphinx-build docs build/docs` with the `docs` extra installed."""

project = "Kinfold"
author = "The Kinfold developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
exclude_patterns = ["pictures"]
myst_heading_anchors = 3
# Links to files outside docs/ are for readers of the repository.
suppress_warnings = ["myst.xref_missing"]
