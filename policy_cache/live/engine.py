"""The engine as a router opens it: of a file, of a text, or of files that it follows.

Every poll reads the files and compares their content. No stat can save that read: an edit may keep time
and size, while a rename, or a swap of the link to a Kubernetes ConfigMap, is seen by reading the path
anew. A file of 256 KiB, the most there may be, takes a tenth of a millisecond in a thread of its own.

What cannot be loaded leaves the last good policy in force. A plain write may be seen half done, and half
a policy can be valid until the next poll: write beside the file, then rename.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from typing import TYPE_CHECKING

from policy_cache.diagnostics import Diagnostic
from policy_cache.engine.engine import CompiledPolicy
from policy_cache.errors import PolicyError
from policy_cache.lifetimes import Lifetimes
from policy_cache.live.experiment import Experiment
from policy_cache.live.files import catalog_of, read, shown
from policy_cache.live.options import read_config
from policy_cache.packaged import packaged
from policy_cache.policy.load import load, loads
from policy_cache.providers.file import loads_catalog
from policy_cache.text.amounts import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from typing import Self, Unpack

    from policy_cache.engine.compile import CompiledRule
    from policy_cache.engine.engine import Answer
    from policy_cache.engine.match import Context, Facts
    from policy_cache.engine.plan import Plan
    from policy_cache.live.options import Caching
    from policy_cache.policy.load import LoadedPolicy
    from policy_cache.providers.catalog import Catalog
    from policy_cache.providers.resolve import Route
    from policy_cache.request.prompt import Shape

_log = logging.getLogger("policy_cache")
_SHORTEST = 0.1
# A remote read has no limit of its own: closing does not wait for it longer than this.
_LONGEST_CLOSE = 5.0


class Engine(CompiledPolicy):
    """A compiled policy, and the ways to open one: safe to share between threads, and immutable."""

    __slots__ = ()

    @classmethod
    def from_file(cls, path: str | PathLike[str], *, catalog: str | PathLike[str] | None = None) -> Engine:
        """Load and compile a policy file.

        Args:
            path: The policy.
            catalog: A file that adds to the packaged catalog of providers, or changes it.

        Raises:
            PolicyError: A file cannot be read or is not valid; see its `diagnostics`.
        """
        return cls(load(path), catalog_of(catalog))

    @classmethod
    def from_text(
        cls, text: str, name: str = "<policy>", *, catalog: str | PathLike[str] | None = None
    ) -> Engine:
        """Load and compile a policy from its text; `name` stands for the file in diagnostics.

        Raises:
            PolicyError: The text or the catalog is not valid; see its `diagnostics`.
        """
        return cls(loads(text, name), catalog_of(catalog))

    @classmethod
    def default(cls, *, catalog: str | PathLike[str] | None = None) -> Engine:
        """The engine of the packaged default policy.

        Raises:
            PolicyError: The catalog is not valid; see its `diagnostics`.
        """
        return cls.from_file(packaged("policies", "default.yaml"), catalog=catalog)

    def engine_of(self, _: Mapping[str, object], *, shape: Shape | None = None) -> CompiledPolicy:  # noqa: ARG002, others choose
        """The engine that answers a request: this one."""
        return self

    def close(self) -> None:
        """Keep what was learned."""
        self.lifetimes.save()

    @classmethod
    def passing(cls, catalog: Catalog | None = None) -> Engine:
        """An engine that changes nothing, and tells where requests go."""
        return cls(load(packaged("policies", "default.yaml")), catalog, enabled=False)

    @staticmethod
    def watch(
        path: str | PathLike[str],
        *,
        catalog: str | PathLike[str] | None = None,
        every: float = 2.0,
        providers: Sequence[str] = (),
        state: str | PathLike[str] | None = None,
    ) -> LiveEngine:
        """An engine that follows its policy file: what is edited is in force at the next look.

        A file that cannot be loaded leaves the last good policy in force, and is logged.

        Args:
            path: The policy: a file, or a URL that fsspec can read.
            catalog: A file that adds to the packaged catalog of providers, or changes it; watched too.
            every: Seconds from one look to the next, at least 0.1.
            providers: Globs over the providers whose requests may change; all if left out.
            state: The file that keeps what `ttl: auto` learns over a restart, or a Redis that processes share
                it through (`redis://…`).

        Raises:
            PolicyError: A file cannot be read or is not valid now; see its `diagnostics`.
        """
        live = LiveEngine(path, catalog=catalog, every=every, providers=providers, state=state)
        live.start()
        return live

    @classmethod
    def from_config(cls, config: Mapping[str, object] | None) -> Engine | LiveEngine | Experiment:
        """The engine of a router's own `caching:` block.

        Args:
            config: `enabled` (true if left out; false looks at no file, and changes nothing), `policy` (a
                file; the packaged default policy if left out), `providers` (names or globs; all if left
                out), `catalog` (a file), `watch` (true follows the files, as `watch` does; false if left
                out), `state` (a file or a Redis that keeps what `ttl: auto` learns) and `experiment` (a
                `policy` on trial for a share of the sessions, `percent` of them, 50 if left out, under a
                `name`). None is a block that was left out: nothing is changed.

        Raises:
            PolicyError: A member is unknown or of the wrong type, or a file is not valid.
        """
        return cls.from_options(read_config(config))

    @classmethod
    def from_options(cls, caching: Caching) -> Engine | LiveEngine | Experiment:
        """The engine of such a block that was read before.

        Raises:
            PolicyError: A file is not valid.
        """
        if not caching.enabled:
            return cls.passing()
        engine = cls._of(caching, caching.policy, caching.state)
        trial = caching.experiment
        if trial is None:
            return engine
        # What is on trial learns apart, and from nothing.
        variant = cls._of(caching, trial.policy, None)
        return Experiment(engine, variant, percent=trial.percent, name=trial.name)

    @classmethod
    def _of(cls, caching: Caching, policy: str | None, state: str | None) -> Engine | LiveEngine:
        file = policy or packaged("policies", "default.yaml")
        if caching.watch:
            return cls.watch(file, catalog=caching.catalog, providers=caching.providers, state=state)
        return cls(
            load(file),
            catalog_of(caching.catalog),
            providers=caching.providers,
            lifetimes=_lifetimes(state),
        )


class LiveEngine:
    """The engine of what its policy file says now; takes what `Engine` takes.

    Each call is answered by one engine, whole: a reload replaces `engine` in one assignment, and no
    request waits for it. A fork takes no thread along: watch, or `start`, in each worker process.

    Attributes:
        engine: The engine in force. Immutable; hold it to answer several calls alike.
        failures: As of `Engine`, over all reloads.
        lifetimes: The same.
        faults: How often `refresh` met an error that is not about the file, by kind.
        error: Why what is written now is not in force, or None when it is.
    """

    __slots__ = (
        "_every",
        "_lock",
        "_paths",
        "_providers",
        "_seen",
        "_stop",
        "_thread",
        "engine",
        "error",
        "failures",
        "faults",
        "lifetimes",
    )

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        catalog: str | PathLike[str] | None = None,
        every: float = 2.0,
        providers: Sequence[str] = (),
        state: str | PathLike[str] | None = None,
    ) -> None:
        """Load a policy file; see `Engine.watch`. Nothing looks at it again before `start` or `refresh`."""
        self._paths = tuple(os.fspath(given) for given in (path, catalog) if given is not None)
        self._providers = tuple(providers)
        self._every = min(max(_SHORTEST, every), threading.TIMEOUT_MAX)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        contents = read(self._paths)
        self._seen: object = contents
        self.lifetimes = _lifetimes(state)
        self.engine = _load(self._paths, contents, self._providers, self.lifetimes)
        self.failures = self.engine.failures
        self.faults: Counter[str] = Counter()
        self.error: PolicyError | None = None

    def engine_of(self, _: Mapping[str, object], *, shape: Shape | None = None) -> CompiledPolicy:  # noqa: ARG002, others choose
        """The engine that answers a request: the one in force."""
        return self.engine

    @property
    def policy(self) -> LoadedPolicy:
        """The policy in force, with its source and warnings."""
        return self.engine.policy

    @property
    def rules(self) -> tuple[CompiledRule, ...]:
        """The compiled rules in force, in file order."""
        return self.engine.rules

    def rewrite(self, request: dict[str, object], **context: Unpack[Context]) -> dict[str, object]:
        """Return the request to send; see `Engine.rewrite`."""
        return self.engine.rewrite(request, **context)

    def plan(self, request: dict[str, object], **context: Unpack[Context]) -> Plan:
        """Decide a request and say why; see `Engine.plan`.

        Raises:
            RequestError: It is not a request that can be planned.
        """
        return self.engine.plan(request, **context)

    def route(self, request: dict[str, object], **context: Unpack[Context]) -> Route:
        """Where a request goes; see `Engine.route`.

        Raises:
            RequestError: It names no model.
        """
        return self.engine.route(request, **context)

    @property
    def learns(self) -> bool:
        """Whether any rule asks for `ttl: auto` now."""
        return self.engine.learns

    def learn(self, request: dict[str, object], **answer: Unpack[Answer]) -> None:
        """Learn from a request that was sent and answered; see `Engine.learn`."""
        self.engine.learn(request, **answer)

    def facts(self, request: dict[str, object], **context: Unpack[Context]) -> Facts:
        """What conditions see of a request; see `Engine.facts`.

        Raises:
            RequestError: It is not a request that can be planned.
        """
        return self.engine.facts(request, **context)

    def refresh(self) -> bool:
        """Look at the files now, and return whether another engine is in force.

        Never raises: what cannot be loaded is logged once and kept in `error`, and anything else is
        counted in `faults` and logged once per kind.
        """
        with self._lock:
            try:
                return self._refresh()
            except Exception as error:  # noqa: BLE001, a router must never fail because of a policy
                kind = type(error).__name__
                self.faults[kind] += 1
                if self.faults[kind] == 1:
                    _log.warning("%s was not looked at because of %s (logged once)", self._name, kind)
                return False

    def start(self) -> None:
        """Poll in a thread of this process, unless one does already."""
        if self._thread is None or self._stop.is_set() or not self._thread.is_alive():
            self._stop = threading.Event()
            self._thread = threading.Thread(
                target=self._poll, args=(self._stop,), name=f"watch {self._name}", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """End the thread, and keep what was learned. The engine stays in force, and `refresh` still works."""
        self._stop.set()
        self.lifetimes.save()
        if self._thread is not None:
            self._thread.join(_LONGEST_CLOSE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _name(self) -> str:
        return " with ".join(map(shown, self._paths))

    def _poll(self, stop: threading.Event) -> None:
        while not stop.wait(self._every):
            self.refresh()

    def _refresh(self) -> bool:
        try:
            contents = read(self._paths)
        except PolicyError as error:
            self._refuse(error, str(error))
            return False
        if contents == self._seen:
            return False
        try:
            engine = _load(self._paths, contents, self._providers, self.lifetimes)
        except PolicyError as error:
            self._refuse(error, contents)
            return False
        engine.failures = self.failures
        self.engine, self.error, self._seen = engine, None, contents
        _log.info("%s is in force, %s", self._name, engine.policy.revision)
        return True

    def _refuse(self, error: PolicyError, seen: object) -> None:
        """Keep the engine in force, and say so once for what was seen."""
        if seen == self._seen:
            return
        self.error, self._seen = error, seen
        errors = sum(diagnostic.severity == "error" for diagnostic in error.diagnostics)
        _log.warning(
            "%s is not used because of %s, %s stays in force:\n%s",
            error.diagnostics[0].file,
            counted(errors, "error"),
            self.engine.policy.revision,
            error,
        )


def _lifetimes(state: str | PathLike[str] | None) -> Lifetimes:
    """What was learned, from where it is kept.

    Raises:
        PolicyError: It is to be kept in a Redis whose address is none, or without the library for it.
    """
    try:
        return Lifetimes(state=state)
    except ModuleNotFoundError:
        message, fix = "`state` needs redis, which is not installed", "pip install 'policy-cache[redis]'"
    except ValueError:
        message, fix = "`state` is not the address of a Redis", "write it as `redis://localhost:6379/0`"
    raise PolicyError([Diagnostic("PC129", "error", message, help=fix, file="caching")])


def _load(
    paths: tuple[str, ...], contents: list[bytes], providers: tuple[str, ...], lifetimes: Lifetimes
) -> Engine:
    """Compile exactly what has been read."""
    names = [shown(path) for path in paths]
    catalog = loads_catalog(contents[1], names[1]) if len(contents) > 1 else None
    return Engine(loads(contents[0], names[0]), catalog, providers=providers, lifetimes=lifetimes)
