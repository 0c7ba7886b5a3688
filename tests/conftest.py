"""What all tests share: hypothesis draws the same examples on every machine, however slow it is."""

from hypothesis import settings

settings.register_profile("suite", derandomize=True, deadline=None, database=None)
settings.load_profile("suite")
