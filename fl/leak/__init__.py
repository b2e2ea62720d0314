"""What a client's update gives away: pictures rebuilt from updates, masked updates and sums.

    >>> fl.leak.attacks.psnr(np.full(4, 0.5), np.full(4, 0.6))
    20.0

Two published attacks are run against real sessions of federated averaging: on what a server without
masks receives, on the very words that the server of a `SecureSum` receives, and on the sum that it
is left with.  What they get from a sum is the honest part: a sum over few is no secret.

Modules: `network` is the model that is trained, and what its local training comes to as a function
of the examples; `attacks` rebuild pictures; `study` plays the sessions and attacks them; `picture`
draws what came of it.  May be imported from it: its modules, by the command and by whoever wants to
try other attacks.  It uses `aggregators`, `algorithms`, `data`, `errors`, `seeds` and
`whole_numbers`.
"""

from fl.leak import attacks, network, picture, study

__all__ = ["attacks", "network", "picture", "study"]
