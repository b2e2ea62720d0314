"""What `import fl` does before anything else: TensorFlow is kept quiet, and asked for when missing.

Modules: `quiet_tensorflow` keeps TensorFlow's start-up messages back, `tensorflow_noise` says which
these are, `requirement` says in one line what is not installed.  May be imported from it:
`quiet_tensorflow` and `requirement`, by `fl` itself and by `cli`.  These import only what Python
has loaded already: `cli.starting` says why.  It uses no other room.
"""
