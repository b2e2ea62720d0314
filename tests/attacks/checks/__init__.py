"""One file for each entry of `tests.helpers.removed.ROOMS`: the checks of `secagg.client` are in
`test_client`, those of the rounds of `secagg.server` in `test_server_rounds`, ..."""
