"""The annotator: a folder of images, a page in the browser, and everything that is done there kept
on disk.

`project` knows the images, `store` keeps their documents, `document` says what one is, `workbench`
changes objects with the network and without, `operations` are the changes that the API offers,
`server` puts them behind HTTP.
"""

from __future__ import annotations
