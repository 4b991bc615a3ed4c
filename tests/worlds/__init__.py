"""Fakes and small exchanges that tests of several rooms share."""
