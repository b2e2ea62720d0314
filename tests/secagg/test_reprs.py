"""A client, a server and a result say in one line what they are and how far they are."""

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import secagg


def test_a_session_from_its_first_line_to_its_last() -> None:
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    params = secagg.Params(3, [secagg.VectorSpec("x", 2, 32)], server_key=public)
    keys = {u: Ed25519PrivateKey.generate() for u in (4, 7, 9)}
    directory = {u: key.public_key().public_bytes_raw() for u, key in keys.items()}
    server = secagg.Server(params, directory=directory, private_key=private)
    clients = {
        u: secagg.Client(
            u, params, np.array([u, 1], np.uint32), signing_key=key, directory=directory
        )
        for u, key in keys.items()
    }
    assert repr(clients[7]) == "Client(u=7, Created, n=3, t=3)"
    assert repr(server) == "Server(Advertising, 0 answered, n=3, t=3)"
    for u, client in clients.items():
        server.receive(u, client.start())
    assert repr(clients[7]) == "Client(u=7, Advertised, n=3, t=3)"
    assert repr(server) == "Server(Advertising, 3 answered, n=3, t=3)"
    for _ in range(4):
        for u, message in server.close_round().items():
            server.receive(u, clients[u].receive(message))
    server.close_round()
    assert repr(clients[7]) == "Client(u=7, Done, n=3, t=3)"
    assert repr(server) == "Server(Aggregate, n=3, t=3)"
    assert repr(server.result) == "Aggregate(x: uint32[2]; 3 survivors, 0 dropped, 0 disputes)"
