"""`given` of Hypothesis without its deadline, because a busy machine makes an example slow now and
then.

The settings hold for tests that are decorated after the settings are loaded. Therefore tests import
`given` from here.
"""

from hypothesis import given, settings

__all__ = ["given"]

settings.register_profile("crossbook", deadline=None)
settings.load_profile("crossbook")
