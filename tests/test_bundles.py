"""Signed bundles: what one party writes, another imports, and nothing else."""

from __future__ import annotations

import copy
import hashlib
import os
import pickle
import stat
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.errors import (
    BundleError,
    BundleExpiredError,
    BundleRollbackError,
    BundleSignatureError,
    ListRefusedError,
)
from fingerprint.lists import HashList, Opinion, Record, Retraction
from fingerprint.lists.bundles import (
    BundleInfo,
    PrivateKey,
    PublicKey,
    TrustedKey,
    TrustedKeys,
    generate_key,
    import_bundle,
    read_bundle,
    write_bundle,
)
from tests.bundle_files import content_digest, read_by_the_document, write_forged

T0 = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = generate_key()
TRUSTED = TrustedKeys([TrustedKey(KEY.public, "Hotline", ("a",))])


def md5(text: object) -> str:
    return hashlib.md5(str(text).encode(), usedforsecurity=False).hexdigest()


def record(n: object, source: str = "a", **fields: Any) -> Record:
    return Record(source, f"id {n}", {"md5": md5((source, n))}, **fields)


def full_record(source: str = "a") -> Record:
    return Record(
        source,
        "ünïcode \U0001f600 id",
        {"md5": md5(1), "pdq": hashlib.sha256(b"1").hexdigest()},
        "image",
        "A1 — verbatim",
        "severe",
        ("self-generated", "grid"),
        (Opinion("z", "no"), Opinion("b", "yes", ("x", "w"))),
        T0 - 3 * DAY,
        T0.replace(microsecond=5),
        {"mirrored": hashlib.sha256(b"2").hexdigest()},
        {"n": 1, "x": 0.1, "deep": [{"b": None, "a": "é\n/"}]},
    )


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[HashList]:
    with HashList.create(tmp_path / "sender") as one:
        one.add([record(n) for n in range(20)], by="analyst")
        one.add([full_record(), record(1, "a/part"), record(1, "a-b"), record(1, "b")], by="me")
        yield one


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[HashList]:
    with HashList.create(tmp_path / "receiver") as one:
        one.add([record("own", "own"), record("near", "ab")], by="me")
        yield one


class Post:
    """Writes bundles one after the other, and imports them."""

    def __init__(self, sender: HashList, receiver: HashList, folder: Path) -> None:
        self.sender, self.receiver, self.folder, self.n = sender, receiver, folder, 0

    def write(self, since: int | None = None, at: datetime = T0, **given: Any) -> Path:
        self.n += 1
        path = self.folder / f"{self.n}.fpb"
        args: dict[str, Any] = {
            "name": "stream",
            "source": "a",
            "expires_at": at + 7 * DAY,
            "now": at,
        } | given
        write_bundle(self.sender, path, args.pop("key", KEY), since=since, **args)
        return path

    def take(self, path: Path, now: datetime = T0, **given: Any) -> Any:
        trusted = given.pop("trusted", TRUSTED)
        return import_bundle(self.receiver, path, trusted, by="platform", now=now, **given)

    def refused(self, kind: type[Exception], path: Path, match: str = ".", **given: Any) -> None:
        before = state(self.receiver)
        with pytest.raises(kind, match=match) as caught:
            self.take(path, **given)
        assert type(caught.value) is kind
        assert state(self.receiver) == before

    def agree(self) -> bool:
        return list(self.sender.records("a")) == list(self.receiver.records("a"))


@pytest.fixture
def post(sender: HashList, receiver: HashList, tmp_path: Path) -> Post:
    return Post(sender, receiver, tmp_path)


def state(one: HashList) -> tuple[Any, ...]:
    return one.version, one.digest, tuple(one.records()), one.feeds()


def test_a_snapshot_arrives_whole(post: Post) -> None:
    path = post.write(comment="the first")
    report = post.take(path)
    assert (report.added, report.retracted, report.changed) == (22, 0, True)
    assert post.agree()
    assert {one.source for one in post.receiver.records()} == {"a", "a/part", "ab", "own"}
    [feed] = post.receiver.feeds()
    assert (feed.name, feed.refreshed_at, feed.expires_at) == ("bundle:stream", T0, T0 + 7 * DAY)
    assert post.receiver.stale_reasons(T0 + 6 * DAY) == []
    assert post.receiver.stale_reasons(T0 + 7 * DAY) != []
    last = post.receiver.versions()[-1]
    assert (last.by, last.feed) == ("platform", "bundle:stream")
    assert "Hotline" in last.note


@pytest.mark.parametrize("packing", ["zstd", "none"])
def test_the_document_suffices_to_read_it(post: Post, packing: str) -> None:
    path = post.write(packing=packing, comment="für Menschen")
    data = path.read_bytes()
    facts, changes = read_by_the_document(data, KEY.public.raw)
    truth = [one.to_dict() for one in post.sender.records("a")]
    assert [Record.from_dict(one) for one in changes] == list(post.sender.records("a"))
    assert facts["content_digest"] == content_digest(changes) == content_digest(truth)
    assert facts["content_digest"] == post.sender.digest_of("a")
    assert facts["comment"] == "für Menschen"
    first = post.sender.version
    post.sender.retract("a", "id 7", by="analyst", reason="mistake")
    post.sender.add(record(99), by="analyst")
    delta = post.write(first, packing=packing)
    facts, changes = read_by_the_document(delta.read_bytes(), KEY.public.raw)
    assert [(one["record_id"], "retracted" in one) for one in changes] == [
        ("id 7", True),
        ("id 99", False),
    ]
    assert (changes[0]["reason"], facts["base_version"]) == ("mistake", first)
    left = [one.to_dict() for one in post.sender.records("a")]
    assert facts["content_digest"] == content_digest(left)


def test_the_document_suffices_to_write_it(post: Post, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    public = PublicKey(key.public_key().public_bytes_raw())
    trusted = TrustedKeys([TrustedKey(public, "Other", ("a",))])
    changes = [one.to_dict() for one in post.sender.records("a")]
    path = write_forged(tmp_path / "forged", key, changes)
    assert post.take(path, trusted=trusted).added == 22
    assert post.agree()


def test_read_bundle_tells_what_it_is(post: Post) -> None:
    bundle = read_bundle(post.write(comment="hello"), TRUSTED, now=T0)
    info = bundle.info
    assert (info.name, info.source, info.kind, info.version) == ("stream", "a", "snapshot", 2)
    assert (info.records, info.retractions, info.base_version) == (22, 0, None)
    assert (info.created_at, info.expires_at, info.comment) == (T0, T0 + 7 * DAY, "hello")
    assert bundle.signer.name == "Hotline"
    assert list(bundle.changes()) == list(bundle.changes()) == list(post.sender.records("a"))
    shown = f"{bundle!r} {info!r}"
    for secret in (info.content_digest, info.sha256, info.key, md5(("a", 1))):
        assert secret not in shown
    assert BundleInfo.from_bytes(info.to_bytes()) == info


def test_deltas_follow_each_other(post: Post) -> None:
    post.take(post.write())
    v1 = post.sender.version
    post.sender.retract("a", "id 3", by="analyst", reason="withdrawn")
    post.sender.add([record(4, category="B"), record(50, "a/part")], by="analyst")
    v2 = post.sender.version
    first = post.write(v1)
    post.sender.add(record(3, category="back"), by="analyst")
    second = post.write(v2)
    post.refused(BundleRollbackError, second, "import what lies between")
    report = post.take(first)
    assert (report.added, report.updated, report.retracted) == (1, 1, 1)
    post.refused(BundleRollbackError, post.write(v1), "import what lies between")
    assert post.take(second).added == 1
    assert post.agree()
    assert ("own", "id own") in post.receiver
    assert [one.action for one in post.receiver.history("a", "id 3")][:2] == ["added", "retracted"]


def test_a_first_delta_needs_a_snapshot(post: Post) -> None:
    v1 = post.sender.version
    post.sender.add(record(50), by="analyst")
    post.refused(BundleRollbackError, post.write(v1), "snapshot has to come first")


def test_an_older_one_is_refused(post: Post) -> None:
    old = post.write()
    post.sender.retract("a", "id 3", by="analyst")
    post.take(post.write())
    assert ("a", "id 3") not in post.receiver
    post.refused(BundleRollbackError, old, "older")


def test_the_same_again_changes_nothing(post: Post) -> None:
    path = post.write()
    post.take(path)
    before = state(post.receiver)
    report = post.take(path, now=T0 + 2 * DAY)
    assert not report.changed
    assert state(post.receiver) == before
    v1 = post.sender.version
    post.sender.add(record(50), by="analyst")
    delta = post.write(v1)
    assert post.take(delta).changed
    before = state(post.receiver)
    assert not post.take(delta).changed
    assert not post.take(post.write()).changed, "a snapshot of what the delta led to"
    assert state(post.receiver) == before


def test_a_renewal_extends_and_a_replay_does_not_shorten(post: Post) -> None:
    old = post.write()
    post.take(old)
    post.take(post.write(at=T0 + 5 * DAY), now=T0 + 5 * DAY)
    [feed] = post.receiver.feeds()
    assert (feed.refreshed_at, feed.expires_at) == (T0 + 5 * DAY, T0 + 12 * DAY)
    post.take(old, now=T0 + 5 * DAY)
    assert post.receiver.feeds() == [feed]


def test_another_content_of_the_same_version_is_refused(post: Post) -> None:
    post.take(post.write())
    version = post.sender.version
    post.sender.add(record(50), by="analyst")
    post.refused(BundleRollbackError, post.write(version=version), "another content")


def test_a_delta_to_other_records_is_refused_and_a_snapshot_mends_it(post: Post) -> None:
    path = post.write()
    post.take(path)
    post.receiver.add(record(4, category="edited here"), by="me")
    v1 = post.sender.version
    post.sender.add(record(50), by="analyst")
    post.refused(BundleRollbackError, post.write(v1), "import a snapshot")
    assert post.take(path).updated == 1, "the snapshot it had already"
    post.take(post.write(v1))
    assert post.agree()


def test_a_stream_has_one_signer_and_one_source(post: Post) -> None:
    other = generate_key()
    trusted = TrustedKeys([*TRUSTED, TrustedKey(other.public, "Other", ("a", "b"))])
    post.take(post.write(), trusted=trusted)
    post.sender.add(record(50), by="analyst")
    post.refused(BundleSignatureError, post.write(key=other), "is that of", trusted=trusted)
    for_b = post.write(key=other, source="b")
    post.refused(BundleSignatureError, for_b, "is that of", trusted=trusted)
    second = post.write(key=other, name="second")
    post.refused(BundleRollbackError, second, "two streams", trusted=trusted)
    part = post.write(name="third", source="a/part")
    post.refused(BundleRollbackError, part, "two streams", trusted=trusted)
    post.take(post.write(key=other, name="second", source="b"), trusted=trusted)
    assert ("b", "id 1") in post.receiver


@pytest.mark.parametrize("method", ["checkpoint", "digest_of"])
def test_a_list_that_another_thread_changes_is_left_alone(
    post: Post, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    path = post.write()
    before = state(post.receiver)
    answers = iter([getattr(post.receiver, method)("bundle:stream"), "another"])
    with monkeypatch.context() as patched:
        patched.setattr(post.receiver, method, lambda _: next(answers))
        with pytest.raises(BundleRollbackError, match="meanwhile"):
            post.take(path)
    assert state(post.receiver) == before


def test_a_party_may_change_its_key(post: Post) -> None:
    post.take(post.write())
    new = generate_key()
    post.sender.add(record(50), by="analyst")
    trusted = TrustedKeys([TrustedKey(new.public, "Hotline", ("a",))])
    path = post.write(key=new)
    post.refused(BundleSignatureError, path, "not among the 1 trusted keys")
    post.take(path, trusted=trusted)
    assert post.agree()


def test_a_stream_may_be_replaced_on_purpose(post: Post) -> None:
    post.take(post.write())
    moved = post.write(name="new name")
    post.refused(BundleRollbackError, moved, "two streams")
    post.receiver.set_checkpoint("bundle:stream", {})
    assert not post.take(moved).changed


def test_it_expires_at_its_moment(post: Post) -> None:
    path = post.write()
    post.refused(BundleExpiredError, path, now=T0 + 7 * DAY)
    post.refused(BundleExpiredError, path, now=T0 + 700 * DAY)
    post.take(path, now=T0 + 7 * DAY - timedelta(microseconds=1))


def test_a_clock_that_is_behind_is_noticed(post: Post) -> None:
    path = post.write()
    post.refused(BundleError, path, "clock", now=T0 - DAY - timedelta(microseconds=1))
    post.take(path, now=T0 - DAY)
    assert post.receiver.feeds()[0].refreshed_at == T0 - DAY
    with pytest.raises(ValueError, match="zone"):
        read_bundle(path, TRUSTED, now=T0.replace(tzinfo=None))


def test_a_key_of_another_source_is_refused(post: Post) -> None:
    narrow = TrustedKeys([TrustedKey(KEY.public, "Hotline", ("a/part",))])
    post.refused(BundleSignatureError, post.write(), "may not speak", trusted=narrow)
    post.take(post.write(source="a/part"), trusted=narrow)
    lookalike = TrustedKeys([TrustedKey(KEY.public, "Hotline", ("a/par", "ab"))])
    path = post.write(source="a/part", name="x")
    post.refused(BundleSignatureError, path, "may not speak", trusted=lookalike)


def test_a_snapshot_that_leaves_out_too_much_is_refused(post: Post) -> None:
    post.take(post.write())
    for n in range(15):
        post.sender.retract("a", f"id {n}", by="analyst", purge=False)
    path = post.write()
    post.refused(ListRefusedError, path)
    assert post.take(path, max_retracted_share=1.0).retracted == 15


def test_what_is_written_is_private_and_never_written_over(post: Post, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        path = post.write()
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    target = tmp_path / "target"
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(target)
    for name in ("file", "folder", "link"):
        with pytest.raises(BundleError, match="already"):
            write_bundle(
                post.sender, tmp_path / name, KEY, name="s", source="a", expires_at=T0 + DAY, now=T0
            )
    assert (tmp_path / "file").read_text() == "mine"
    assert not target.exists()
    with pytest.raises(BundleError, match="cannot be written"):
        write_bundle(
            post.sender,
            tmp_path / "no" / "x",
            KEY,
            name="s",
            source="a",
            expires_at=T0 + DAY,
            now=T0,
        )
    assert {one.name for one in tmp_path.iterdir()} == {
        *("sender", "receiver", "1.fpb", "file", "folder", "link")
    }


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"source": "nobody"}, "no record of source 'nobody'"),
        ({"expires_at": T0}, "expires_at"),
        ({"expires_at": datetime(2030, 1, 1)}, "zone"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"comment": "x" * 5000}, "comment"),
        ({"version": 0}, "version"),
        ({"version": 1 << 60}, "version"),
        ({"packing": "zip"}, "packing"),
        ({"since": 2}, "base_version"),
        ({"since": 77}, "base_version"),
        ({"since": 0}, "base_version"),
        ({"since": 1, "base_version": 5}, "base_version"),
    ],
)
def test_wrong_orders_are_refused(post: Post, wrong: dict[str, Any], match: str) -> None:
    with pytest.raises((BundleError, ValueError), match=match):
        post.write(**wrong)
    assert not list(post.folder.glob("*fpb*"))


def test_a_list_that_changes_meanwhile_is_not_written(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = post.sender.records

    def changing(source: str | None = None) -> Iterator[Record]:
        found = list(records(source))
        post.sender.add(record("new"), by="another thread")
        return iter(found)

    monkeypatch.setattr(post.sender, "records", changing)
    with pytest.raises(BundleError, match="changed while"):
        post.write()
    assert not list(post.folder.glob("*fpb*"))


def test_a_damaged_list_is_not_written(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post.sender, "digest_of", lambda _: "0" * 64)
    with pytest.raises(BundleError, match="verify the list"):
        post.write()


def test_an_empty_snapshot_is_meant_or_refused(post: Post) -> None:
    path = post.write(source="nobody", allow_empty=True, name="empty")
    assert read_bundle(path, TrustedKeys([TrustedKey(KEY.public, "H", ("nobody",))]), now=T0)
    _, changes = read_by_the_document(path.read_bytes(), KEY.public.raw)
    assert changes == []


def test_a_stream_goes_on_from_a_list_made_anew(post: Post, tmp_path: Path) -> None:
    post.sender.add(record("more"), by="analyst")
    post.take(post.write())
    with HashList.create(tmp_path / "anew") as anew:
        anew.add(list(post.sender.records("a")), by="restored")
        post.sender = anew
        post.refused(BundleRollbackError, post.write(), "older")
        post.take(post.write(version=10))
        since = anew.version
        anew.add(record(50), by="analyst")
        post.take(post.write(since, version=11, base_version=10))
        assert post.agree()


def test_rows_longer_than_a_block_arrive(post: Post) -> None:
    """More than a mebibyte, packed or not, in blocks that rows do not respect."""
    noise = [hashlib.sha512(str(n).encode()).hexdigest() * 100 for n in range(130)]
    post.sender.add([record(n, raw={"noise": text}) for n, text in enumerate(noise)], by="me")
    for packing in ("none", "zstd"):
        path = post.write(packing=packing, name=packing)
        assert list(read_bundle(path, TRUSTED, now=T0).changes()) == list(post.sender.records("a"))
    post.take(path)
    assert post.agree()


CHANGES = st.lists(
    st.tuples(
        st.integers(0, 6), st.sampled_from(["", "A", "B"]), st.sampled_from(["a", "a/b", "c"])
    ),
    max_size=6,
)


@given(st.lists(st.tuples(CHANGES, st.booleans()), min_size=1, max_size=5))
def test_any_chain_of_bundles_ends_in_the_senders_state(
    steps: list[tuple[list[tuple[int, str, str]], bool]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        with HashList.create(where / "s") as sender, HashList.create(where / "r") as receiver:
            post = Post(sender, receiver, where)
            sender.add([record("first"), record("c", "c")], by="analyst")
            post.take(post.write())
            for changes, is_delta in steps:
                base = sender.version
                sender.apply(
                    [
                        record(n, source, category=word)
                        if word
                        else Retraction(source, f"id {n}", None, "why")
                        for n, word, source in changes
                    ],
                    by="analyst",
                    purge=False,
                )
                path = post.write(base if is_delta and sender.version > base else None)
                report = post.take(path, max_retracted_share=1.0, purge=False)
                assert post.agree()
                assert receiver.digest_of("a") == sender.digest_of("a")
                assert report.unknown_retractions == 0
                assert not post.take(path).changed


class TestKeys:
    @pytest.mark.parametrize("passphrase", [None, "correct horse", "pässwörd"])
    def test_kept_and_read_again(self, tmp_path: Path, passphrase: str | None) -> None:
        old = os.umask(0)
        try:
            KEY.save(tmp_path / "key", passphrase)
        finally:
            os.umask(old)
        assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
        again = PrivateKey.load(tmp_path / "key", passphrase)
        assert again.public == KEY.public
        secret = None if passphrase is None else passphrase.encode()
        independent = load_pem_private_key((tmp_path / "key").read_bytes(), secret)
        assert isinstance(independent, Ed25519PrivateKey)
        assert independent.public_key().public_bytes_raw() == KEY.public.raw
        assert (b"ENCRYPTED" in (tmp_path / "key").read_bytes()) == (passphrase is not None)

    def test_never_written_over(self, tmp_path: Path) -> None:
        KEY.save(tmp_path / "key")
        before = (tmp_path / "key").read_bytes()
        (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
        for name in ("key", "link"):
            with pytest.raises(BundleError, match="already"):
                generate_key().save(tmp_path / name)
        assert (tmp_path / "key").read_bytes() == before
        assert not (tmp_path / "elsewhere").exists()

    def test_a_wrong_passphrase_is_a_typed_error(self, tmp_path: Path) -> None:
        KEY.save(tmp_path / "locked", "right one")
        KEY.save(tmp_path / "open")
        with pytest.raises(BundleError, match="passphrase is wrong") as caught:
            PrivateKey.load(tmp_path / "locked", "hunter2")
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is None
        with pytest.raises(BundleError, match="needs a passphrase"):
            PrivateKey.load(tmp_path / "locked")
        with pytest.raises(BundleError, match="has no passphrase"):
            PrivateKey.load(tmp_path / "open", "x")
        with pytest.raises(BundleError, match="at least one character"):
            KEY.save(tmp_path / "empty", "")
        assert not (tmp_path / "empty").exists()

    @pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
    def test_one_that_others_can_read_is_refused(self, tmp_path: Path, mode: int) -> None:
        KEY.save(tmp_path / "key")
        (tmp_path / "key").chmod(mode)
        with pytest.raises(BundleError, match="chmod 600"):
            PrivateKey.load(tmp_path / "key")

    def test_what_is_no_key_is_refused(self, tmp_path: Path) -> None:
        curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        for data in (b"", b"hello", curve, b"x" * 100_000, bytes(range(256))):
            (tmp_path / "x").unlink(missing_ok=True)
            (tmp_path / "x").touch(0o600)
            (tmp_path / "x").write_bytes(data)
            with pytest.raises(BundleError):
                PrivateKey.load(tmp_path / "x")
        for path in (tmp_path, tmp_path / "none"):
            with pytest.raises(BundleError):
                PrivateKey.load(path)

    def test_it_shows_itself_nowhere(self) -> None:
        raw = KEY._key.private_bytes_raw()
        for shown in (repr(KEY), str(KEY), f"{KEY}", repr(KEY.public), repr(TRUSTED)):
            assert raw.hex() not in shown
            assert KEY.public.id not in shown
        for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="not pickled"):
                attempt(KEY)

    def test_public_text(self) -> None:
        key = generate_key().public
        assert PublicKey.parse(str(key)) == key
        assert PublicKey.parse(f"  {key}\n") == key
        assert key.id == hashlib.sha256(key.raw).hexdigest()
        for wrong in (
            "",
            "ed25519:",
            str(key)[8:],
            str(key)[:-1],
            f"{key}=",
            f"x{key}",
            "ed25519:é",
        ):
            with pytest.raises(BundleError, match="public key"):
                PublicKey.parse(wrong)

    def test_the_vector_of_rfc_8032(self) -> None:
        """Test 2 of section 7.1, and the key of the document's example, which is test 1's."""
        public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        signature = bytes.fromhex(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        )
        PublicKey(public).verify(signature, b"\x72")
        with pytest.raises(BundleSignatureError):
            PublicKey(public).verify(signature, b"\x73")
        document = (Path(__file__).parent.parent / "docs" / "bundle-format.md").read_text()
        first = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        assert str(PublicKey(bytes.fromhex(first))) in document


class TestTrust:
    def file(self, tmp_path: Path, text: str) -> Path:
        path = tmp_path / "trusted.toml"
        path.write_text(text)
        return path

    def entry(self, key: PublicKey, name: str = "Hotline", sources: str = '["a", "b/c"]') -> str:
        return f'[[key]]\nname = "{name}"\npublic = "{key}"\nsources = {sources}\n'

    def test_read_from_a_file(self, tmp_path: Path) -> None:
        other = generate_key().public
        text = self.entry(KEY.public) + self.entry(other, "Other", '["z"]')
        trusted = TrustedKeys.load(self.file(tmp_path, text))
        assert [one.name for one in trusted] == ["Hotline", "Other"]
        found = trusted.find(KEY.public.raw)
        truth = {"a": 1, "a/x": 1, "ab": 0, "b": 0, "b/c": 1, "b/c/d": 1, "b/cd": 0, "": 0, "z": 0}
        assert {source: found.speaks_for(source) for source in truth} == truth

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[[key]]",
            "[key]",
            "not toml at all",
            "[[key]]\nname = 1\npublic = 2\nsources = 3",
            "{entry}\nmore = 1",
            "{entry}\n[other]",
            "{entry}{entry}",
            '[[key]]\nname = "a"\npublic = "{public}"\nsources = []',
            '[[key]]\nname = "a"\npublic = "{public}"\nsources = "a"',
            '[[key]]\nname = "a"\npublic = "{public}"\nsources = [1]',
            '[[key]]\nname = "a"\npublic = "{public}"\nsources = [""]',
            '[[key]]\nname = "a"\npublic = "{public}"\nsources = ["a/"]',
            '[[key]]\nname = ""\npublic = "{public}"\nsources = ["a"]',
            '[[key]]\nname = "a"\npublic = "ed25519:AAAA"\nsources = ["a"]',
        ],
    )
    def test_anything_else_is_refused(self, tmp_path: Path, text: str) -> None:
        text = text.replace("{entry}", self.entry(KEY.public)).replace("{public}", str(KEY.public))
        with pytest.raises(BundleError, match=r"trusted\.toml"):
            TrustedKeys.load(self.file(tmp_path, text))

    def test_no_file_is_refused(self, tmp_path: Path) -> None:
        for path in (tmp_path, tmp_path / "none"):
            with pytest.raises(BundleError):
                TrustedKeys.load(path)
        (tmp_path / "bytes").write_bytes(b"\xff\xfe")
        with pytest.raises(BundleError, match="UTF-8"):
            TrustedKeys.load(tmp_path / "bytes")

    @pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
    def test_one_that_anybody_can_change_is_refused(self, tmp_path: Path) -> None:
        path = self.file(tmp_path, self.entry(KEY.public))
        path.chmod(0o666)
        with pytest.raises(BundleError, match="chmod o-w"):
            TrustedKeys.load(path)
