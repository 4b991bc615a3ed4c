"""Python imports this at the start of every process that has this folder in its PYTHONPATH."""

from tools.reached_hook import begin

begin()
