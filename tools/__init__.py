"""Our tools; upstream has a folder of this name too."""
