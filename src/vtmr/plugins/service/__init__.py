"""vtmr behind HTTP: images and prompts in, masks out, for any program and any number of clients
(docs/doors/http.md)."""
