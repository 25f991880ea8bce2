"""Proves drafts: each is applied to a copy of the files that is scanned again.

A draft is proven if every check it is for passes afterwards, nothing fails that did not fail
before, and every file is still read. Drafts about different resources share a scan; if such a
scan shows something new, its halves are scanned separately, down to the draft that caused it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from assessments.fixes.draft import Draft, draft
from assessments.fixes.edit import Files
from assessments.fixes.rescan import Check, Rescan, Scanned, checking_shards, identity
from assessments.scan.intake import InputFile
from assessments.scan.sandbox import ScanCancelled, ScanError
from assessments.scan.types import Scope, ScopeKind

_SAYS_NO_PASS = ("CL-", "DL", "SC", "CKV_DOCKER_")
"""Rules that report only failures: those of engines that do, and those about an instruction that
the fix removes."""


@dataclass
class Proofs:
    """The drafts' outcomes, by their keys. ``unproven`` were not scanned, for lack of time."""

    proven: dict[str, Draft] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unproven: list[str] = field(default_factory=list)
    scans: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Upload:
    """What the drafts change: the run's files, their text, and the results of the run's scan."""

    files: Mapping[str, InputFile]
    texts: Files
    scopes: Sequence[Scope]
    before: Scanned

    def beside(self, paths: Iterable[str]) -> list[InputFile]:
        """``paths`` and the files that are scanned together with them: everything needed to learn
        about them what the run's scan learned."""
        changed = set(paths)
        together = [group for group in self._together if changed & group]
        wanted = changed.union(*together)
        return [self.files[path] for path in sorted(wanted) if path in self.files]

    @cached_property
    def _together(self) -> list[frozenset[str]]:
        """Groups of files whose checks depend on each other: scopes, except the one that contains
        everything independent."""
        whole = [scope for scope in self.scopes if scope.kind is not ScopeKind.REPOSITORY]
        return [frozenset(scope.paths) for scope in whole]


def prove(
    drafts: Sequence[Draft],
    upload: Upload,
    *,
    rescan: Rescan,
    budget_s: float,
    on_done: Callable[[int], None] = lambda count: None,
    clock: Callable[[], float] = time.monotonic,
) -> Proofs:
    """Prove ``drafts``, the most important first. ``on_done`` receives the number settled so far.
    Raises ScanCancelled. After ``budget_s`` the rest stays unproven."""
    proofs = Proofs()
    start = clock()
    expected_s = 0.0
    waiting = deque(rounds_of(drafts))
    while waiting:
        batch = waiting.popleft()
        proofs.seconds = clock() - start
        # Scans on a busy machine take longer than expected: so will the next.
        slowness = max(1.0, proofs.seconds / expected_s) if expected_s else 1.0
        next_s = _expected_s(batch, upload)
        if proofs.seconds + next_s * slowness > budget_s:
            proofs.unproven += [each.key for each in batch]
        else:
            expected_s += next_s
            waiting.extendleft(reversed(_settled(batch, upload, rescan, proofs)))
        left = sum(map(len, waiting))
        on_done(len(drafts) - left)
    proofs.seconds = clock() - start
    return proofs


def rounds_of(drafts: Sequence[Draft]) -> list[list[Draft]]:
    """Drafts that can share a scan: no resource occurs twice in a list. Earlier drafts come in
    earlier lists."""
    rounds: list[tuple[set[tuple[str, str]], list[Draft]]] = []
    for each in drafts:
        for touched, batch in rounds:
            if not touched & each.touched:
                touched |= each.touched
                batch.append(each)
                break
        else:
            rounds.append((set(each.touched), [each]))
    return [batch for _, batch in rounds]


def _settled(
    batch: list[Draft], upload: Upload, rescan: Rescan, proofs: Proofs
) -> list[list[Draft]]:
    """Scan ``batch`` once and record what is proven and refused; returns what has to be scanned
    again."""
    proofs.scans += 1
    try:
        after = rescan(_copy(batch, upload))
    except ScanCancelled:
        raise
    except ScanError as error:
        return _halves(batch, proofs, f"The scan of the copy failed: {error}")
    if _is_worse(after, upload, batch):
        return _halves(batch, proofs, "Something else failed afterwards.")
    again: list[list[Draft]] = []
    for each in batch:
        gone = [check for check in each.checks if _is_gone(identity(check), each, after, upload)]
        if len(gone) == len(each.checks):
            proofs.proven[each.key] = each
        elif (less := draft(each.key, gone, upload.texts)) is not None and gone:
            again.append([less])
        else:
            proofs.refused[each.key] = "The finding was still there."
    return again


def _halves(batch: list[Draft], proofs: Proofs, reason: str) -> list[list[Draft]]:
    if len(batch) == 1:
        proofs.refused[batch[0].key] = reason
        return []
    half = len(batch) // 2
    return [batch[:half], batch[half:]]


def _copy(batch: Sequence[Draft], upload: Upload) -> list[InputFile]:
    """The files with all drafts of ``batch`` applied, each on top of the ones before it."""
    changed: dict[str, str] = {}
    for each in batch:
        if set(each.changed) & set(changed):
            redone = draft(each.key, each.checks, {**upload.texts, **changed})
            changed |= redone.changed if redone else {}
        else:
            changed |= each.changed
    return [
        InputFile.of(file.path, changed[file.path].encode()) if file.path in changed else file
        for file in upload.beside(changed)
    ]


def _is_worse(after: Scanned, upload: Upload, batch: Sequence[Draft]) -> bool:
    added = after.failed - upload.before.failed
    return bool(added) or bool(after.unread - upload.before.unread)


def _is_gone(check: Check, each: Draft, after: Scanned, upload: Upload) -> bool:
    wanted = sum(identity(other) == check for other in each.checks)
    if upload.before.failed[check] - after.failed[check] < wanted:
        return False
    return check.rule.startswith(_SAYS_NO_PASS) or check in after.passed


def _expected_s(batch: Sequence[Draft], upload: Upload) -> float:
    files = upload.beside({path for each in batch for path in each.changed})
    return sum(shard.weight for shard in checking_shards(files)) / 1_000
