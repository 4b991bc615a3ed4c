"""`given` of Hypothesis without its deadline: a busy machine makes an example slow now and then,
which is no fault of the code.

The settings hold for tests decorated after the settings are loaded, so a test imports `given` from
here.
"""

from hypothesis import given, settings

__all__ = ["given"]

settings.register_profile("crossbook", deadline=None)
settings.load_profile("crossbook")
