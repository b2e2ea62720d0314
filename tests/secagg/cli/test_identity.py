"""`secagg keygen`, `secagg enroll` and `secagg directory check`, as a user types them."""

from pathlib import Path
from typing import NamedTuple

import pytest

typer = pytest.importorskip("typer")
from typer.testing import CliRunner  # noqa: E402

from secagg.cli import app  # noqa: E402
from secagg.cli import identity as cli_identity  # noqa: E402
from secagg.errors import LocalProtocolError  # noqa: E402
from secagg.identity import authority, key_files  # noqa: E402
from secagg.identity.authority import Authority  # noqa: E402
from secagg.identity.directory import Pinned  # noqa: E402


class Result(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(cli_identity.PASSPHRASE_VARIABLE, raising=False)
    return tmp_path


def secagg(*words: str, typed: str = "", env: dict[str, str] | None = None) -> Result:
    with CliRunner().isolation(input=typed, env=env) as (out, err, *_):
        code = app.run(words)
        return Result(code, out.getvalue().decode(), err.getvalue().decode())


def said(*words: str, **how: object) -> str:
    result = secagg(*words, **how)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def refused(*words: str, **how: object) -> str:
    result = secagg(*words, **how)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("secagg: ")
    return result.stderr.strip()


def public(path: str, passphrase: bytes | None = None) -> str:
    return key_files.load(path, passphrase).public_key().public_bytes_raw().hex()


def test_two_clients_are_pinned_and_the_directory_checked() -> None:
    for u in ("17", "18"):
        key = said("keygen", f"{u}.pem")
        assert key == public(f"{u}.pem")
        said("enroll", "clients.toml", u, key)
    pinned = Pinned.load("clients.toml")
    assert {u: key.hex() for u, key in pinned.items()} == {17: public("17.pem"), 18: key}
    summary = f"clients.toml: 2 pinned keys, digest {pinned.digest.hex()}"
    assert said("directory", "check", "clients.toml") == summary


def test_a_server_is_named_and_stays_named() -> None:
    server = said("keygen", "server.pem", "--server")
    assert key_files.load_server("server.pem").public_key().public_bytes_raw().hex() == server
    key = said("keygen", "17.pem")
    said("enroll", "clients.toml", "17", key)
    digest = Pinned.load("clients.toml").digest
    assert said("directory", "server", "clients.toml", server).endswith(f", server {server}")
    said("enroll", "clients.toml", "18", said("keygen", "18.pem"))
    pinned = Pinned.load("clients.toml")
    assert (len(pinned), pinned.server_key.hex()) == (2, server)
    assert Pinned(dict(list(pinned.items())[:1])).digest == digest  # which is of the clients

    Path("authority.json").write_text(f'{{"authority": "{key}"}}')
    said("directory", "server", "authority.json", server)
    assert authority.load("authority.json") == Authority(bytes.fromhex(key), bytes.fromhex(server))


@pytest.mark.parametrize("key", ["00" * 32, "ff" * 32, "00"])
def test_a_bad_server_key_is_named_nowhere(key: str) -> None:
    said("enroll", "clients.toml", "17", said("keygen", "17.pem"))
    assert secagg("directory", "server", "clients.toml", key).exit_code == 2
    assert Pinned.load("clients.toml").server_key == b""


def test_a_server_s_key_is_no_identity_nor_the_other_way_round() -> None:
    said("keygen", "server.pem", "--server")
    said("keygen", "17.pem")
    with pytest.raises(LocalProtocolError, match=r"a X25519.*, expected an Ed25519 key"):
        key_files.load("server.pem")
    with pytest.raises(LocalProtocolError, match=r"a Ed25519.*, expected an X25519 key"):
        key_files.load_server("17.pem")


def test_an_authority_certifies_two_clients() -> None:
    ca = said("keygen", "ca.pem")
    Path("authority.toml").write_text(f'authority = "{ca}"\n')
    for u in ("17", "18"):
        key = said("keygen", f"{u}.pem")
        result = secagg("enroll", "certified.json", u, key, "--ca", "ca.pem")
        certificate = bytes.fromhex(result.stdout)
        assert authority.load("authority.toml").identity(int(u), certificate).hex() == key
        assert f"client {u} is in certified.json; {int(u) - 16} pinned keys" in result.stderr
    assert [key.hex() for key in Pinned.load("certified.json").values()] == [public("17.pem"), key]
    expected = f"authority.toml: the authority {ca}, digest "
    expected += Authority(bytes.fromhex(ca)).digest.hex()
    assert said("directory", "check", "authority.toml") == expected


def test_a_passphrase_is_asked_for_twice_and_not_shown() -> None:
    result = secagg("keygen", "17.pem", "--passphrase", typed="open sesame\nopen sesame\n")
    assert result.exit_code == 0
    assert "sesame" not in result.output
    assert public("17.pem", b"open sesame") == result.stdout.strip()


def test_two_passphrases_that_differ_make_no_key(here: Path) -> None:
    result = secagg("keygen", "17.pem", "--passphrase", typed="open\nsesame\n")
    assert result.exit_code != 0
    assert list(here.iterdir()) == []


def test_a_passphrase_from_the_environment_locks_and_opens_the_authority() -> None:
    env = {cli_identity.PASSPHRASE_VARIABLE: "open sesame"}
    ca = said("keygen", "ca.pem", env=env)
    assert public("ca.pem", b"open sesame") == ca
    key = said("keygen", "17.pem")
    said("enroll", "clients.toml", "17", key, "--ca", "ca.pem", env=env)
    said("enroll", "more.toml", "17", key, "--ca", "ca.pem", typed="open sesame\n")
    env[cli_identity.PASSPHRASE_VARIABLE] = "open"
    wrong = refused("enroll", "x.toml", "17", key, "--ca", "ca.pem", env=env)
    assert "ca.pem" in wrong


def test_an_unlocked_authority_needs_no_passphrase_though_one_is_set() -> None:
    said("keygen", "ca.pem")
    key = said("keygen", "17.pem")
    env = {cli_identity.PASSPHRASE_VARIABLE: "open sesame"}
    said("enroll", "clients.toml", "17", key, "--ca", "ca.pem", env=env)


def test_a_passphrase_is_no_option_s_value() -> None:
    assert secagg("keygen", "17.pem", "--passphrase=open").exit_code == 2


def test_enrolling_again_says_the_same_and_another_key_is_refused() -> None:
    said("keygen", "ca.pem")
    keys = [said("keygen", f"{name}.pem") for name in "ab"]
    for directory, ca in (("pinned.toml", ()), ("certified.toml", ("--ca", "ca.pem"))):
        words = said("enroll", directory, "17", keys[0], *ca)
        before = Path(directory).read_bytes()
        assert said("enroll", directory, "17", keys[0], *ca) == words
        assert "another key" in refused("enroll", directory, "17", keys[1], *ca)
        assert "17 and 18 have the same key" in refused("enroll", directory, "18", keys[0], *ca)
        assert Path(directory).read_bytes() == before


def test_an_authority_s_own_file_is_no_place_for_keys() -> None:
    Path("authority.toml").write_text(f'authority = "{said("keygen", "ca.pem")}"\n')
    key = said("keygen", "17.pem")
    for ca in ((), ("--ca", "ca.pem")):
        seen = refused("enroll", "authority.toml", "17", key, *ca)
        assert "authority.toml: ['authority'], expected ['clients'] and nothing else" in seen


def test_mistakes_are_one_line_on_stderr(here: Path) -> None:
    key = said("keygen", "17.pem")
    assert "17.pem exists" in refused("keygen", "17.pem")
    assert f"client 17: {key[:-1]!r}, expected 32 bytes" in refused(
        "enroll", "d.toml", "17", key[:-1]
    )
    assert "small order" in refused("enroll", "d.toml", "17", "00" * 32)
    assert "an id that is an int" in refused("enroll", "d.toml", str(2**63), key)
    assert "ends in .toml or .json" in refused("enroll", "d.yaml", "17", key)
    assert "d.toml" in refused("directory", "check", "d.toml")
    assert "none.pem" in refused("enroll", "d.toml", "17", key, "--ca", "none.pem")
    Path("d.toml").write_text("[clients]\n17 = 5\n")
    assert "d.toml: client 17: 5, expected 32 bytes" in refused("directory", "check", "d.toml")
    assert sorted(file.name for file in here.iterdir()) == ["17.pem", "d.toml"]
