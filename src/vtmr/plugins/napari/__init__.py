"""vtmr in napari: clicks on slices of any image become labels; docs/doors/napari.md shows it.

`widget`, `panel`, `desk` and `notices` alone know napari and Qt, and import them when they are
asked. What is decided there is in the other modules, which need neither.
"""
