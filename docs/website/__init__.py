"""The documentation as a site: `make docs` builds it, and build/docs/site/index.html shows it.

`stage` copies the pages that stand in the repository (README.md, docs, CONTRIBUTING.md and so on)
into one folder and makes their links fit there (`links`); `reference` writes the pages of the
public names, which mkdocstrings fills from the docstrings that `docstrings` makes Markdown of,
`errors` one page for each error, and `front` what stands above a page.  The generator is given that
folder and `mkdocs.yml`; `overrides` has the page for an address that there is not.
"""
