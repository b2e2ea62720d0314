"""TensorFlow's start-up messages are kept back, and nothing else that goes to stderr."""

import os
import subprocess
import sys

import pytest

from fl.startup import quiet_tensorflow, tensorflow_noise

NOISE = (
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1795650194.725451   26833 port.cc:153] oneDNN custom operations are on.",
    "W0000 00:00:1795650194.725451   26833 computation_placer.cc:177] already registered",
    "2025-05-01 10:00:00.123456: I tensorflow/core/util/port.cc:153] oneDNN custom operations",
    "2025-05-01 10:00:00.1: E external/xla/cuda_fft.cc:477] Unable to register cuFFT factory: one",
    "E0000 00:00:1746.1 31 cuda_dnn.cc:8579] Unable to register cuDNN factory: Attempting to",
    "To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow",
)
TOLD = (
    "E0000 00:00:1795650194.7  26833 cuda_platform.cc:52] failed call to cuInit: INTERNAL",
    "2025-05-01 10:00:00.123456: E tensorflow/core/x.cc:1] something is wrong",
    "2025-05-01 10:00:00.123456: F tensorflow/core/x.cc:1] cannot go on",
    "UserWarning: something of the user's",
    "a line of another thread",
)


@pytest.mark.parametrize("fails", [False, True])
def test_errors_and_what_others_say_stay_in_their_order(capfd, fails):
    lines = [line for pair in zip(NOISE[: len(TOLD)], TOLD, strict=True) for line in pair]

    def talk():
        with tensorflow_noise.without_noise():
            os.write(2, "\n".join([*lines, *NOISE, "the end"]).encode())
            if fails:
                raise ImportError

    if fails:
        with pytest.raises(ImportError):
            talk()
    else:
        talk()
    assert capfd.readouterr().err == "\n".join([*TOLD, "the end"])


def script(code, **environment):
    told = {name: value for name, value in os.environ.items() if name != quiet_tensorflow.LEVEL}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**told, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


LOOK = f"import fl, os, sys; print(os.environ['{quiet_tensorflow.LEVEL}'], sys.meta_path[0])"


def test_a_script_says_only_what_it_says_itself():
    seen = script(f"{LOOK}; import keras; print('trained'); print('careful', file=sys.stderr)")
    assert seen.stdout.splitlines()[0].startswith("2 <fl.startup.quiet_tensorflow._Finder")
    assert seen.stdout.splitlines()[1:] == ["trained"]
    assert "careful" in seen.stderr
    assert not any(
        tensorflow_noise._NOISE.match(line.encode()) for line in seen.stderr.splitlines()
    )


def test_who_asks_for_all_messages_has_them():
    seen = script(LOOK, TF_CPP_MIN_LOG_LEVEL="0")
    assert seen.stdout.startswith("0 ")
    assert "fl.startup.quiet_tensorflow" not in seen.stdout
