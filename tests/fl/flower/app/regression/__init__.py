"""`tests.helpers.regression` as an app of Flower: a message costs little."""
