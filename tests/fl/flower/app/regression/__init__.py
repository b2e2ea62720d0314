"""A linear regression as a process of `fl`: no TensorFlow, so that a message costs little."""
