"""Losses: a scalar, or a value a sample. They have no weights; labels, targets and weights of classes are inputs."""
