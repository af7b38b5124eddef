"""Screening uploads against hash lists."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from fingerprint.errors import PolicyError, UnsupportedOperationError
from fingerprint.lists.hash_types import HASH_TYPES
from fingerprint.media import DEFAULT_LIMITS, DEFAULT_VIDEO_LIMITS, Limits, VideoLimits, describe
from fingerprint.screening.evidence import Flood, ListUsed, ScreeningFailure, ScreeningResult
from fingerprint.screening.examination import Examination, Request, Tools, examine
from fingerprint.screening.flood import FloodGuard
from fingerprint.screening.judging import ordered, without_suspended
from fingerprint.screening.outcomes import Outcome, outcome_of
from fingerprint.screening.plans import SUPPLIED_TYPES, ListPlan
from fingerprint.screening.policy import DEFAULT_POLICY, Policy
from fingerprint.screening.tmk import TmkTables

if TYPE_CHECKING:
    from fingerprint.screening.asked import ScreenedList
    from fingerprint.screening.audit import AuditLog
    from fingerprint.screening.batch import ScreeningStream
    from fingerprint.screening.media_kind import MediaChoice
    from fingerprint.typing import ImageSource

__all__ = ["Screener"]

_QUARANTINED = (
    "a record that it matches is quarantined for matching too many uploads: resume or retract it"
)


class Screener:
    """Screens pictures and videos against hash lists, by a policy.

    Parameters
    ----------
    lists : mapping of str to HashList, or sequence of HashList
        By the names that the policy and the evidence use; a list's own name in a sequence.
        They stay the caller's to close, and may change meanwhile: each screening asks them as
        they are.
    policy : Policy, optional
        `DEFAULT_POLICY`: everything that the lists have, at published radii.
    audit : AuditLog, optional
        Gets a line for each result.
    on_flood : callable, optional
        Called with a `Flood` when a record begins to match too many uploads.
    limits, video_limits : Limits, VideoLimits
        Largest picture and video that are decoded.
    clock : callable, optional
        Returns the time, with its zone.

    Raises
    ------
    PolicyError
        The policy names a list that is not given, or says nothing of one that is.
    """

    def __init__(
        self,
        lists: Mapping[str, ScreenedList] | Sequence[ScreenedList],
        policy: Policy | None = None,
        *,
        audit: AuditLog | None = None,
        on_flood: Callable[[Flood], object] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        video_limits: VideoLimits = DEFAULT_VIDEO_LIMITS,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._lists = _named(lists)
        self.policy = policy if policy is not None else DEFAULT_POLICY
        if missing := sorted(self.policy.lists.keys() - self._lists.keys()):
            raise PolicyError(f"lists.{missing[0]}: expected a list of this name, got none")
        self._policies = {name: self.policy.of(name) for name in self._lists}
        if all(one.role == "negative" for one in self._policies.values()):
            raise PolicyError("lists: expected at least one that is not negative")
        self.flood = FloodGuard(self.policy.flood, on_flood)
        self._audit = audit
        self._limits = limits
        self._video_limits = video_limits
        self._clock = clock or (lambda: datetime.now(UTC))
        self._tables = TmkTables()
        self._version = self.policy.version
        self._pool: ThreadPoolExecutor | None = None
        self._pool_pid = 0
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the thread that digests; lists and audit log are left open."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None and self._pool_pid == os.getpid():
            pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def screen(
        self,
        source: ImageSource,
        *,
        media: MediaChoice = "auto",
        supplied: Mapping[str, str] | None = None,
        label: str = "",
    ) -> ScreeningResult:
        """Screen one upload.

        Parameters
        ----------
        source : path, bytes, binary file object, PIL image or ndarray
            A picture or a video. Only files have digests.
        media : {"auto", "image", "video"}
            What it is; ``"auto"`` goes by its content.
        supplied : mapping of str to str, optional
            Hashes that are never computed here: ``{"photodna": hex}``.
        label : str
            Goes into the audit log; nothing does by default.

        Returns
        -------
        ScreeningResult
            Whatever goes wrong is in it: a result never says NO_MATCH when something was
            not asked.

        Raises
        ------
        ValueError, TypeError
            An argument other than the source has no meaning.
        """
        request = self._request(source, media, supplied)
        examined = self.examine(request, alongside=True)
        return self.finish(examined, label)

    def screen_many(
        self,
        sources: Iterable[ImageSource],
        *,
        media: MediaChoice = "auto",
        workers: int | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> ScreeningStream:
        """Screen many uploads, in order, on several threads.

        Parameters
        ----------
        sources : iterable of sources
            Read as the work goes on: a generator of a million paths is fine.
        media
            As in `screen`.
        workers : int, optional
            Threads; as many as there are processors by default.
        progress : callable, optional
            Called with the number of uploads done so far after each, in the thread that
            iterates.

        Returns
        -------
        ScreeningStream
            Iterate it for one `ScreeningResult` a source, in the order of the sources.
        """
        from fingerprint.screening.batch import ScreeningStream

        if isinstance(sources, str | bytes | bytearray | memoryview | os.PathLike):
            raise TypeError(
                f"sources: expected an iterable of sources, got one {type(sources).__name__}"
            )
        if workers is not None and workers < 1:
            raise ValueError(f"workers: expected at least 1, got {workers}")
        self._request(b"", media, None)  # Raises now for what has no meaning.
        return ScreeningStream(self, sources, media, workers or os.cpu_count() or 1, progress)

    def suspend_in_list(self, flood: Flood, *, by: str) -> None:
        """Suspend a flooding record in its list, for everybody, until it is resumed there.

        The list must be open for writing. It is not found by any hash while it is suspended,
        equal digests included: an analyst decides, not the screener.
        """
        found: Any = self._lists[flood.list_name]
        reason = f"matched {flood.matches} of {flood.uploads} uploads"
        found.suspend(flood.source, flood.record_id, by=by, reason=reason)

    def request(self, source: ImageSource, media: MediaChoice) -> Request:
        """Return a request for one source of many."""
        return self._request(source, media, None)

    def examine(self, request: Request, *, alongside: bool) -> Examination:
        """Read, hash and look up one upload; part of `screen` that may run in any thread."""
        now = self._clock()
        plans = [
            ListPlan(name, hash_list, self._policies[name], self._is_thorough(name))
            for name, hash_list in self._lists.items()
        ]
        for plan in plans:
            plan.look(now)
        tools = Tools(
            self.policy,
            self._tables,
            self._limits,
            self._video_limits,
            self._beside() if alongside else None,
            self._audit is not None,
        )
        return examine(request, tools, plans, now)

    def finish(self, examined: Examination, label: str = "") -> ScreeningResult:
        """Count, judge and record one upload; in the order in which results are given out."""
        keys = {
            one.key
            for one in examined.evidence
            if not HASH_TYPES[one.algorithm].is_exact and not one.why_not
        }
        floods = self.flood.note(examined.identity, keys)
        failures = list(examined.all_failures)
        try:
            self.flood.tell(floods)
        except Exception as error:  # noqa: BLE001 - the caller's callback
            failures.append(ScreeningFailure.of("flood", error))
        evidence = ordered(without_suspended(examined.evidence, self.flood.suspended))
        if any(one.why_not == ("suspended",) for one in evidence):
            failures.append(ScreeningFailure.of("flood", UnsupportedOperationError(_QUARANTINED)))
        result = self._result(examined, evidence, floods, failures)
        if self._audit is None:
            return result
        try:
            self._audit.record(result, examined.identity, examined.hashes, label)
        except Exception as error:  # noqa: BLE001 - fails closed
            failure = ScreeningFailure.of("audit", error)
            outcome = result.outcome if result.matches else Outcome.ERROR
            return replace(
                result,
                outcome=outcome,
                failures=(*result.failures, failure),
                told=self.policy.uploader.text_of(outcome),
            )
        return result

    def _result(
        self,
        examined: Examination,
        evidence: tuple[Any, ...],
        floods: tuple[Flood, ...],
        failures: list[ScreeningFailure],
    ) -> ScreeningResult:
        stale = tuple(plan.stale for plan in examined.plans if plan.stale is not None)
        outcome: Outcome = outcome_of(
            matched=any(one.counts for one in evidence),
            failed=any(not one.undecodable for one in failures),
            undecodable=any(one.undecodable for one in failures),
            stale=bool(stale),
            low_quality=examined.low_quality,
        )
        return ScreeningResult(
            outcome=outcome,
            reference=secrets.token_hex(8),
            label=examined.label,
            media=examined.media,
            screened_at=examined.began_at,
            policy_version=self._version,
            evidence=evidence,
            stale=stale,
            failures=tuple(failures),
            lists={plan.name: _used(plan, examined) for plan in examined.plans},
            low_quality=examined.low_quality,
            quality=examined.quality,
            flood=floods,
            timings_ms=dict(examined.timings_ms),
            told=self.policy.uploader.text_of(outcome),
        )

    def _request(
        self, source: ImageSource, media: MediaChoice, supplied: Mapping[str, str] | None
    ) -> Request:
        if media not in ("auto", "image", "video"):
            raise ValueError(f"media: expected 'auto', 'image' or 'video', got {media!r}")
        for name in supplied or {}:
            if name not in SUPPLIED_TYPES:
                known = ", ".join(SUPPLIED_TYPES)
                raise ValueError(f"supplied: expected hashes of {known}, got {name!r}")
        return Request(source, media, describe(source), dict(supplied or {}))

    def _is_thorough(self, name: str) -> bool:
        """Say whether what is found first may yet not count, and must hide nothing else."""
        policy = self._policies[name]
        return policy.thorough or policy.min_independent_hashes > 1 or self.flood.may_suspend(name)

    def _beside(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None or self._pool_pid != os.getpid():  # Threads do not fork.
                workers = os.cpu_count() or 1
                self._pool = ThreadPoolExecutor(workers, thread_name_prefix="fingerprint-digest")
                self._pool_pid = os.getpid()
            return self._pool


def _used(plan: ListPlan, examined: Examination) -> ListUsed:
    answer = examined.answers.get(plan.name)
    asked = tuple(answer.asked) if answer is not None else ()
    return ListUsed(plan.version, plan.digest, asked, tuple(plan.notes))


def _named(
    lists: Mapping[str, ScreenedList] | Sequence[ScreenedList],
) -> dict[str, ScreenedList]:
    if isinstance(lists, Mapping):
        named = dict(lists)
    else:
        named = {}
        for one in lists:
            if one.name in named:
                raise ValueError(f"lists: expected different names, got {one.name!r} twice")
            named[one.name] = one
    if not named:
        raise ValueError("lists: expected at least one list, got none")
    for name in named:
        if not isinstance(name, str) or not name:
            raise ValueError(f"lists: expected a name for each, got {name!r}")
    return named
