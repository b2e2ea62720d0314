"""The documentation as a site: `make docs` builds it in build/docs/site, where index.html opens in a browser.

`stage` copies the pages that stand in the repository (README.md, docs, CONTRIBUTING.md and so on) into
one folder and makes their links fit there (`links`); `reference` writes the pages of the public names,
which mkdocstrings fills from the docstrings, and `errors` one page for each error.  The site's
generator is given that folder and `mkdocs.yml`.
"""
