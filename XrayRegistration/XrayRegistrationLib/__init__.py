"""The upper storey: everything that touches MRML, VTK views or Qt. Importing it imports none of them."""
# ruff: noqa: N999 - named after the module, as Slicer extensions do
