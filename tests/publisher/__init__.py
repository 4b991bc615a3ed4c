"""Tests of the publisher, module by module, and whole against the real engine over a faulty
network."""
