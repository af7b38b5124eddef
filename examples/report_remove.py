"""From a report to a removal, and back: a hotline, a platform, and an auditor.

    python examples/report_remove.py

Runs in under a minute without media: pictures are generated. With FINGERPRINT_MEDIA set to a
folder that has photos/, they are photographs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track

import fingerprint as fp
from fingerprint.evaluate import photo
from fingerprint.evaluate.transforms import Edit
from fingerprint.lists import HashList, Record
from fingerprint.lists.bundles import (
    PrivateKey,
    PublicKey,
    TrustedKey,
    TrustedKeys,
    generate_key,
    import_bundle,
    write_bundle,
)
from fingerprint.screening import (
    AuditLog,
    ListPolicy,
    Outcome,
    Policy,
    Screener,
    ScreeningResult,
    verify_audit,
)

if TYPE_CHECKING:
    from fingerprint.typing import U8

REPORTED = 25
LARGEST_NBYTES = 100_000
EDITS = (
    *("unedited", "recompress", "repost", "messenger", "thumbnail", "filtered"),
    *("mirrored_repost", "framed_repost"),
)
SOURCE = "hotline"
POLICY = Policy(default=ListPolicy(views=True, max_age_s=7 * 86_400))

console = Console(highlight=False)


# --- pictures -----------------------------------------------------------------------------


class Pictures:
    """Pictures that have nothing to do with each other, by number, as encoded files."""

    def __init__(self) -> None:
        media = os.environ.get("FINGERPRINT_MEDIA", "")
        found = sorted(Path(media, "photos").rglob("*.jpg")) if media else []
        # Larger ones take longer to edit than to screen.
        self.photographs = [one for one in found if one.stat().st_size < LARGEST_NBYTES]

    def file(self, number: int) -> bytes:
        """Return a picture; generated ones when there are no photographs, or not so many."""
        if number < len(self.photographs):
            return self.photographs[number].read_bytes()
        return encoded(photo(number, 150, 200), "jpeg:85")

    def edited(self, number: int, edit: str) -> bytes:
        """Return what becomes of a picture that is passed on."""
        original = self.file(number)
        if edit == "unedited":
            return original
        return encoded(fp.decode(original).array, edit)


def encoded(pixels: U8, edit: str) -> bytes:
    """Edit pixels and return a JPEG file."""
    with tempfile.TemporaryDirectory() as folder:
        return Edit.parse(edit).apply_file(pixels, Path(folder, "a.jpg"), quality=80).read_bytes()


@dataclass(frozen=True)
class Upload:
    """What somebody uploads; ``of`` is the record it is a copy of, None for an innocent."""

    of: str | None
    edit: str
    number: int


def record_id(number: int) -> str:
    """Return what the hotline calls a report."""
    return f"case-{number:03}"


def make_uploads(n: int) -> list[Upload]:
    """Return uploads, every fifth of them a copy of a reported picture."""
    uploads = []
    for i in range(n):
        if i % 5:
            uploads.append(Upload(None, "unedited", REPORTED + i))
        else:
            which, edit = (i // 5) % REPORTED, EDITS[(i // 5 // REPORTED) % len(EDITS)]
            uploads.append(Upload(record_id(which), edit, which))
    return uploads


# --- the hotline --------------------------------------------------------------------------


@dataclass
class Hotline:
    """Has the pictures, and gives away hashes of them that it answers for."""

    folder: Path
    key: PrivateKey = field(default_factory=generate_key)

    def list_reported(self, pictures: Pictures) -> int:
        """Hash pictures and put records on the list; return its version."""
        with HashList.create(self.folder / "list", "hotline") as known:
            report = known.add(
                (self._record(number, pictures.file(number)) for number in range(REPORTED)),
                by="analyst 7",
                note="reports of today",
            )
        return report.version

    @staticmethod
    def _record(number: int, file: bytes) -> Record:
        digests = {
            name: hashlib.new(name, file, usedforsecurity=False).hexdigest()
            for name in ("md5", "sha1", "sha256")
        }
        return Record(
            SOURCE,
            record_id(number),
            {**digests, "pdq": fp.hash_image(file).hex},
            media="image",
            category="A",
            flags=("self-generated",),
            first_seen=datetime.now(UTC),
        )

    def sign(self, name: str, since: int | None = None) -> Path:
        """Sign the list, or what changed since a version, for the platform."""
        bundle = self.folder / name
        with HashList.open(self.folder / "list", read_only=True) as known:
            write_bundle(
                known,
                bundle,
                self.key,
                name=SOURCE,
                source=SOURCE,
                since=since,
                expires_at=datetime.now(UTC) + timedelta(weeks=8),
            )
        return bundle

    def withdraw(self, which: str) -> None:
        """Take a record back."""
        with HashList.open(self.folder / "list") as known:
            known.retract(SOURCE, which, by="analyst 7", reason="not illegal after all")


# --- the platform -------------------------------------------------------------------------


@dataclass
class Screened:
    """Results by upload, and what they add up to."""

    uploads: list[Upload]
    results: list[ScreeningResult]
    elapsed_s: float

    @property
    def outcomes(self) -> Counter[Outcome]:
        """How many uploads had which outcome."""
        return Counter(result.outcome for result in self.results)

    @property
    def found(self) -> list[tuple[Upload, ScreeningResult]]:
        """Copies whose own record is among the matches."""
        return [
            (upload, result)
            for upload, result in zip(self.uploads, self.results, strict=True)
            if upload.of in {one.record_id for one in result.matches}
        ]

    @property
    def missed(self) -> list[Upload]:
        """Copies that did not match."""
        found = {upload for upload, _ in self.found}
        return [one for one in self.uploads if one.of is not None and one not in found]

    @property
    def wrong(self) -> list[Upload]:
        """Innocent uploads that matched."""
        return [
            upload
            for upload, result in zip(self.uploads, self.results, strict=True)
            if upload.of is None and result.outcome is Outcome.MATCH
        ]


@dataclass
class Platform:
    """Has uploads and a copy of the hotline's list; never sees a reported picture but as upload."""

    folder: Path

    def __post_init__(self) -> None:
        HashList.create(self.folder / "list", "hotline").close()
        AuditLog.create_key(self.folder / "audit.key")

    @property
    def log(self) -> Path:
        """The audit log."""
        return self.folder / "audit.jsonl"

    def take(self, bundle: Path, key: PublicKey) -> int:
        """Import a bundle, believing one key about one source; return the list's version."""
        trusted = TrustedKeys([TrustedKey(key, "the hotline", (SOURCE,))])
        with HashList.open(self.folder / "list") as known:
            return import_bundle(known, bundle, trusted, by="import at the platform").version

    def records(self) -> int:
        """Return how many records the platform's list has."""
        with HashList.open(self.folder / "list", read_only=True) as known:
            return len(known)

    def screen(self, uploads: list[Upload], pictures: Pictures, *, show: bool = True) -> Screened:
        """Screen uploads and log each."""
        files: Iterator[bytes] = (pictures.edited(one.number, one.edit) for one in uploads)
        start = time.perf_counter()
        with (
            HashList.open(self.folder / "list", read_only=True) as known,
            AuditLog.open(self.log, self.folder / "audit.key", sync_every=100) as audit,
            Screener([known], POLICY, audit=audit) as screener,
            screener.screen_many(files) as stream,
        ):
            results = list(
                track(stream, "screening", len(uploads), console=console, transient=True)
                if show
                else stream
            )
        return Screened(uploads, results, time.perf_counter() - start)

    def holds(self, text: str) -> bool:
        """Say whether a hash is in any file of the list, as text or as bytes."""
        forms = (text.encode(), bytes.fromhex(text))
        files = (one for one in (self.folder / "list").rglob("*") if one.is_file())
        return any(form in data for data in map(Path.read_bytes, files) for form in forms)


# --- the auditor --------------------------------------------------------------------------


def tampered(log: Path) -> Path:
    """Return a copy of a log in which one match is said to be none."""
    copy = log.with_name("tampered.jsonl")
    lines = log.read_bytes().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if b'"outcome":"MATCH"' in line)
    lines[at] = lines[at].replace(b'"outcome":"MATCH"', b'"outcome":"NO_MATCH"')
    copy.write_bytes(b"".join(lines))
    return copy


def shortened(log: Path) -> Path:
    """Return a copy of a log without its last line."""
    copy = log.with_name("shortened.jsonl")
    copy.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    return copy


# --- the story ----------------------------------------------------------------------------


def main(n_uploads: int, folder: Path) -> None:
    """Play it, and print what happens."""
    pictures = Pictures()
    for name in ("hotline", "platform"):
        (folder / name).mkdir(mode=0o700)
    hotline, platform = Hotline(folder / "hotline"), Platform(folder / "platform")

    heading("The hotline lists what was reported")
    version = hotline.list_reported(pictures)
    bundle = hotline.sign("monday.fpb")
    print_line(f"{REPORTED} records, signed: {bundle.name}, {bundle.stat().st_size:,} bytes")

    heading("The platform takes the list")
    try:
        platform.take(bundle, generate_key().public)
    except fp.FingerprintError as error:
        print_line(f"with another key: refused ({error})")
    print_line(f"still {platform.records()} records")
    platform.take(bundle, hotline.key.public)
    print_line(f"with the hotline's key: {platform.records()} records")

    heading(f"It screens {n_uploads:,} uploads")
    screened = platform.screen(make_uploads(n_uploads), pictures)
    print_screened(screened)
    upload, result = next(
        (one, found) for one, found in reversed(screened.found) if found.evidence[0].distance
    )
    print_line(f"\nFor the reviewer, a {upload.edit} copy:")
    print_line(result.text())
    print_line(f"For the uploader's side: {result.redacted()}")

    heading("The hotline withdraws that record")
    which = str(upload.of)
    with HashList.open(platform.folder / "list", read_only=True) as known:
        pdq = known.get(SOURCE, which).hashes["pdq"]
    hotline.withdraw(which)
    change = hotline.sign("tuesday.fpb", since=version)
    platform.take(change, hotline.key.public)
    (again,) = platform.screen([upload], pictures, show=False).results
    print_line(f"{change.name}, {change.stat().st_size:,} bytes; {platform.records()} records")
    print_line(f"the same upload: {result.outcome}, now {again.outcome}")
    print_line(f"its hash is {'' if platform.holds(pdq) else 'not '}in a file of the list")

    heading("The auditor reads the log")
    key = platform.folder / "audit.key"
    report = verify_audit(platform.log, key)
    print_line(f"{report.lines:,} lines: {'all is well' if report.ok else report.problems}")
    changed = verify_audit(tampered(platform.log), key)
    print_line(f"a match turned into none: {changed.problems[0]}")
    cut = verify_audit(shortened(platform.log), key, expected_head=report.head.hash)
    print_line(f"the last line cut off: {cut.problems[0]}")


def print_screened(screened: Screened) -> None:
    """Say what was found, what was missed and what was wrong."""
    n = len(screened.uploads)
    copies = sum(one.of is not None for one in screened.uploads)
    per_s = n / screened.elapsed_s
    print_line(f"{screened.elapsed_s:.1f} s with making them, {per_s:,.0f} uploads a second")
    print_line(", ".join(f"{count:,} {one}" for one, count in screened.outcomes.most_common()))
    print_line(f"of {copies} copies {len(screened.found)} were found by their own record")
    if screened.missed:
        edits = Counter(one.edit for one in screened.missed)
        print_line(f"missed: {', '.join(f'{k} {name}' for name, k in edits.items())}")
    print_line(f"of {n - copies:,} innocents {len(screened.wrong)} matched")


def heading(text: str) -> None:
    """Print what comes next."""
    console.print(f"\n[bold]{text}[/bold]")


def print_line(text: str) -> None:
    """Print a line as it is."""
    console.print(text, markup=False, soft_wrap=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=1000, help="how many (1000)")
    asked = parser.parse_args()
    if asked.uploads < 10:
        parser.error("--uploads: expected at least 10")
    with tempfile.TemporaryDirectory(prefix="report-remove-") as scratch:
        main(asked.uploads, Path(scratch))
