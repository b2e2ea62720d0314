"""Federated averaging of Keras models over secure aggregation."""
