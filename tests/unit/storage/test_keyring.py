"""Master keys and the vault: places, rotation, crashes between its steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tracer.app import secret_commands
from tracer.errors import Conflict, Invalid
from tracer.storage import keyring
from tracer.storage.keyring import Keyring
from tracer.storage.meta import Meta
from tracer.storage.vault import Vault


@pytest.fixture
def meta(tmp_path: Path) -> Iterator[Meta]:
    tmp_path.chmod(0o700)
    opened = Meta(tmp_path / "meta.db", audit_key=b"a" * 32)
    yield opened
    opened.close()


def fill(meta: Meta, vault: Vault, count: int = 3) -> list[int]:
    with meta.write(unaudited="test") as tx:
        return [vault.add_secret(tx, "totp", b"seed%d" % n) for n in range(count)]


def opened(meta: Meta, vault: Vault, ids: list[int]) -> list[bytes]:
    return [vault.open_secret(meta.read(), number) for number in ids]


def texts(found: object) -> str:
    return repr(found)


def test_key_is_made_once_with_mode_0600(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    first = Keyring(path).keys
    assert path.stat().st_mode & 0o777 == 0o600
    assert Keyring(path).keys == first


def test_no_key_is_made_when_one_is_given(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    Keyring(path, given=keyring.new_key())
    assert not path.exists()


@pytest.mark.parametrize("given", ["short", "zz" * 32, "AA==", "\u00e9" * 64])
def test_wrong_key_is_refused_without_repeating_it(tmp_path: Path, given: str) -> None:
    with pytest.raises(Invalid) as caught:
        Keyring(tmp_path / "master.key", given=given)
    assert given not in caught.value.detail


def test_rotation_seals_all_anew_and_drops_the_old_key(meta: Meta, tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    vault = Keyring(path).vault()
    ids, before = fill(meta, vault, 450), path.read_text()
    result = secret_commands.rotate(meta, vault)
    assert result["unopenable"] == 0
    assert path.read_text() != before
    assert path.stat().st_mode & 0o777 == 0o600
    assert opened(meta, vault, ids)[:2] == [b"seed0", b"seed1"]
    again = Keyring(path)
    assert len(again.keys) == 1
    assert opened(meta, again.vault(), ids)[-1] == b"seed449"
    assert "secrets.rotate" in texts(meta.read().rows("SELECT action FROM audit"))


@pytest.mark.parametrize("batches", [0, 1, 2, 3])
def test_crash_at_every_step_leaves_secrets_that_open(
    meta: Meta, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    path = tmp_path / "master.key"
    vault = Keyring(path).vault()
    ids = fill(meta, vault, 5)
    monkeypatch.setattr(secret_commands, "BATCH", 2)
    real, calls = Vault.reseal, iter(range(99))

    def dying(self: Vault, *args: object, **kwargs: object) -> int | None:
        if next(calls) == batches:
            raise KeyboardInterrupt
        return real(self, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Vault, "reseal", dying)
        with pytest.raises(KeyboardInterrupt):
            secret_commands.rotate(meta, vault)
    # A new process: what it finds on disk opens everything, and says that it is not done.
    after = Keyring(path).vault()
    assert opened(meta, after, ids) == [b"seed%d" % n for n in range(5)]
    assert "old" in texts(secret_commands.status(meta, after)["findings"]).lower()
    secret_commands.rotate(meta, after)
    assert len(Keyring(path).keys) == 1
    assert opened(meta, Keyring(path).vault(), ids) == [b"seed%d" % n for n in range(5)]


def test_crash_while_the_key_file_is_written_keeps_the_old_one(
    meta: Meta, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "master.key"
    vault = Keyring(path).vault()
    ids, before = fill(meta, vault), path.read_text()

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fails)
        with pytest.raises(Invalid):
            secret_commands.rotate(meta, vault)
    assert path.read_text() == before
    assert opened(meta, Keyring(path).vault(), ids)[0] == b"seed0"
    fill(meta, vault, 1)
    secret_commands.rotate(meta, vault)
    assert len(Keyring(path).keys) == 1


def test_key_of_the_environment_is_rotated_by_putting_one_in_front(
    meta: Meta, tmp_path: Path
) -> None:
    path, old, new = tmp_path / "master.key", keyring.new_key(), keyring.new_key()
    vault = Keyring(path, given=old).vault()
    ids = fill(meta, vault)
    with pytest.raises(Conflict, match="environment"):
        secret_commands.rotate(meta, vault)
    both = Keyring(path, given=f"{new},{old}").vault()
    assert secret_commands.rotate(meta, both)["old_keys_in"] == ["environment"]
    assert opened(meta, Keyring(path, given=new).vault(), ids)[0] == b"seed0"


def test_moving_from_the_folder_to_the_environment(meta: Meta, tmp_path: Path) -> None:
    path, new = tmp_path / "master.key", keyring.new_key()
    ids = fill(meta, Keyring(path).vault())
    moved = Keyring(path, given=new).vault()
    assert opened(meta, moved, ids)[0] == b"seed0"
    secret_commands.rotate(meta, moved)
    assert not path.exists()
    assert opened(meta, Keyring(path, given=new).vault(), ids)[0] == b"seed0"


def test_status_names_what_is_wrong(meta: Meta, tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    fill(meta, Keyring(path).vault())
    path.chmod(0o644)
    foreign = Vault(b"x" * 32)
    fill(meta, foreign, 1)
    with meta.write(unaudited="test") as tx:
        tx.execute("UPDATE secrets SET sealed = x'00' WHERE id = 1")
    vault = Keyring(path).vault()
    status = secret_commands.status(meta, vault)
    found = texts(status["findings"])
    assert "mode 0644" in found
    assert "is missing" in found
    assert "was changed" in found
    assert "lies beside the database" in found
    assert path.read_text().strip() not in texts(status)
    result = secret_commands.rotate(meta, vault)
    assert result["unopenable"] == 2
    assert len(Keyring(path).keys) == 2


def test_sealed_value_cannot_take_another_ones_place(meta: Meta, tmp_path: Path) -> None:
    vault = Keyring(tmp_path / "master.key").vault()
    first, second, _ = fill(meta, vault)
    with meta.write(unaudited="test") as tx:
        tx.execute(
            "UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE id = :a) WHERE id = :b",
            a=first,
            b=second,
        )
    with pytest.raises(Invalid):
        vault.open_secret(meta.read(), second)


def test_key_file_that_may_not_be_written_is_rotated_by_hand(
    meta: Meta, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_file, path = tmp_path / "master.key", tmp_path / "given"
    old, new = keyring.new_key(), keyring.new_key()
    path.write_text(f"{old}\n")
    ids = fill(meta, Keyring(folder_file, key_file=path).vault())

    def fails(*_: object) -> None:
        raise Invalid(f"{path} cannot be written: Read-only file system")

    monkeypatch.setattr(keyring, "write_keys", fails)
    with pytest.raises(Invalid, match="Read-only"):
        secret_commands.rotate(meta, Keyring(folder_file, key_file=path).vault())
    path.write_text(f"{new}\n{old}\n")
    result = secret_commands.rotate(meta, Keyring(folder_file, key_file=path).vault())
    assert (result["unopenable"], result["old_keys_in"]) == (0, ["key file"])
    path.write_text(new)
    assert opened(meta, Keyring(folder_file, key_file=path).vault(), ids)[0] == b"seed0"
    assert not folder_file.exists()
