"""A secure sum whose clients and masks are in the workers of a Dask cluster."""

import numpy as np
import pytest

import fl
from fl.aggregators.contribution import Contribution
from fl.aggregators.interface import Session

pytestmark = pytest.mark.slow


def test_a_local_cluster_gives_the_same_sum():
    distributed = pytest.importorskip("distributed")
    rng = np.random.default_rng(1)
    given = [
        Contribution(rng.standard_normal(500).astype(np.float32), 1 + u, rng.random(3))
        for u in range(60)
    ]
    session = Session(3, 5, [bytes(32)] * 60, dropouts={7: 2, 20: 4, 41: 1})
    here = fl.SecureSum().aggregate(given, session)
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
    )
    with cluster, distributed.Client(cluster) as dask:
        there = fl.SecureSum(executor=dask.get_executor()).aggregate(given, session)
    np.testing.assert_array_equal(there.total, here.total)
    np.testing.assert_array_equal(there.metrics, here.metrics)
    assert (there.weight, there.survivors, there.dropped) == (
        here.weight,
        here.survivors,
        here.dropped,
    )
    assert 7 not in there.survivors
    assert 20 in there.survivors
