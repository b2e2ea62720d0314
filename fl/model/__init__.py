"""A Keras model as the protocol needs it: a flat vector, and what of it travels.

Modules: `keras_models` builds and checks what `model_fn` returns, `vector` is its weights,
`layout` which of them an update covers, `optimizers` the client's optimizer, `step_state` what a
step uses besides the weights, `architecture` a digest by which clients know a model.  All may be
imported, by the rooms that train and evaluate.  It uses `errors`, `tff`
and `warn`.
"""
