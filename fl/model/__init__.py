"""A Keras model as the protocol needs it: a flat vector, and what of it travels.

Rooms: `keras_models` builds and checks what `model_fn` returns, `vector` is its weights, `layout`
which of them an update covers, `optimizers` the client's optimizer, `step_state` what a step uses
besides the weights.  It uses `errors` and `warn`.
"""
