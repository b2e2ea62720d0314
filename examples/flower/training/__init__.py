"""A training over Flower: `task` is your model and your data, the two apps are three lines each."""
