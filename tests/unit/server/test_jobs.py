from __future__ import annotations

import threading
from datetime import UTC, datetime

from certuary.errors import ConfigError, DatabaseDown
from certuary.server.jobs import HomeFacts, JobThread, NodeState

HOME = HomeFacts(
    passphrase_beside_keys=True, blocklist_entries=3, tls_not_after=datetime(2027, 1, 1, tzinfo=UTC)
)


class Job:
    def __init__(self, failure: Exception | None = None, problems: tuple[str, ...] = ()) -> None:
        self.failure = failure
        self.problems = problems
        self.ticks = 0

    def tick(self) -> None:
        self.ticks += 1
        if self.failure is not None:
            raise self.failure


class Setting:
    def __init__(self, *jobs: Job) -> None:
        self.state = NodeState()
        self.steady = 0.0
        self.home: HomeFacts | Exception = HOME
        self.looks = 0
        self.ended = threading.Event()
        self.thread = JobThread(
            jobs,
            self.state,
            inspect_home=self._inspect,
            steady=lambda: self.steady,
            at_end=self.ended.set,
        )

    def _inspect(self) -> HomeFacts:
        self.looks += 1
        if isinstance(self.home, Exception):
            raise self.home
        return self.home


def test_a_good_round_shows_no_problem_and_the_home() -> None:
    setting = Setting(Job())
    assert setting.state.database_problem is not None
    setting.thread.round()
    assert setting.state.database_problem is None
    assert setting.state.problems == ()
    assert setting.state.home == HOME


def test_a_database_that_is_away_is_shown_until_it_is_back() -> None:
    job = Job(DatabaseDown("the database cannot be used"))
    setting = Setting(job)
    setting.thread.round()
    assert setting.state.database_problem == "the database cannot be used"
    job.failure = None
    setting.thread.round()
    assert setting.state.database_problem is None


def test_a_job_that_fails_does_not_keep_the_next_from_running() -> None:
    second = Job(problems=("its own problem",))
    setting = Setting(Job(ValueError("secret detail")), second)
    setting.thread.round()
    assert second.ticks == 1
    assert setting.state.problems == ("a background job failed (Job): see the log", "its own problem")


def test_the_home_is_looked_at_every_few_seconds_and_at_once_again_after_a_failure() -> None:
    setting = Setting()
    setting.thread.round()
    setting.thread.round()
    assert setting.looks == 1
    setting.steady = 6
    setting.home = ConfigError("the blocklist is damaged")
    setting.thread.round()
    setting.thread.round()
    assert setting.looks == 3
    assert setting.state.problems == ("configuration: the blocklist is damaged",)
    assert setting.state.home == HOME


def test_the_thread_stops_when_told_and_hands_over() -> None:
    job = Job()
    setting = Setting(job)
    setting.thread.start()
    setting.thread.stop(5)
    assert setting.ended.is_set()
    assert job.ticks >= 1


def test_a_failing_hand_over_is_survived() -> None:
    setting = Setting(Job())

    def fail() -> None:
        setting.ended.set()
        raise DatabaseDown("gone")

    thread = JobThread([], setting.state, inspect_home=lambda: HOME, steady=lambda: 0.0, at_end=fail)
    thread.start()
    thread.stop(5)
    assert setting.ended.is_set()
