"""How Sphinx builds the site; `docs/site/build.py` calls it."""

from importlib.metadata import version as version_of

project = "soak"
author = "The soak authors"
project_copyright = "MIT licence"
release = version = version_of("soak-runner")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
myst_heading_anchors = 6
myst_enable_extensions = ["colon_fence", "attrs_inline"]
default_role = "code"
suppress_warnings = ["ref.python", "misc.highlighting_failure"]  # fields named `type`; excerpts with an ellipsis
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"soak {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["search-note.js"]
html_search_scorer = "scorer.js"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
copybutton_exclude = ".linenos, .gp, .go"
