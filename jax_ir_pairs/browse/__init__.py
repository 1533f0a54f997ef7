"""A page that shows rows at all levels side by side: served on this machine, or one file."""
