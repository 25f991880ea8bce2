"""The map of a run: its resources as a diagram, and the paths from the internet to its data. Plain
Python: no Django, Celery or Channels in this package."""
