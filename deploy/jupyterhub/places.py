"""Where a hub for one server keeps its things, and what its accounts are called."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

#: The hub's settings, beside its configuration.
SETTINGS = "hub.json"


@dataclass(frozen=True)
class Hub:
    """A hub: its folders (absolute paths), its ports on loopback, its course and the account that grades."""

    prefix: str
    state: str
    exchange: str
    runtime: str
    homes: str
    port: int
    hub_port: int
    proxy_port: int
    course_port: int
    address: str = "127.0.0.1"
    course: str = "attention"
    account: str = "grader-attention"

    @property
    def environment(self) -> Path:
        """The Python that students and graders run: everyone may read it, root alone writes it."""
        return Path(self.prefix, "env")

    @property
    def proxy(self) -> Path:
        return Path(self.prefix, "proxy")

    @property
    def account_home(self) -> Path:
        return Path(self.homes, self.account)

    @property
    def repository(self) -> Path:
        """The account's own copy of the course, answers and all: mode 700."""
        return self.account_home / self.course

    @property
    def exchange_course(self) -> Path:
        return Path(self.exchange, self.course)

    @property
    def instructors(self) -> str:
        """The Unix group of those who grade. nbgrader reads the course's name out of it."""
        return f"formgrade-{self.course}"

    @property
    def students(self) -> str:
        return f"nbgrader-{self.course}"

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"

    def save(self) -> None:
        Path(self.prefix, SETTINGS).write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Hub:
        return cls(**json.loads(path.read_text()))


#: A class's own hub.
REAL = Hub(
    prefix="/opt/attention-course",
    state="/srv/attention-hub",
    exchange="/srv/attention-exchange",
    runtime="/run/attention-hub",
    homes="/home",
    port=8000,
    hub_port=8081,
    proxy_port=8001,
    course_port=8090,
)

#: What `make hub` starts: everything below one folder, on ports of its own.
SAMPLE = Hub(
    prefix="/opt/attention-sample-hub",
    state="/opt/attention-sample-hub/state",
    exchange="/opt/attention-sample-hub/exchange",
    runtime="/opt/attention-sample-hub/run",
    homes="/opt/attention-sample-hub/home",
    port=8700,
    hub_port=8781,
    proxy_port=8701,
    course_port=8790,
)
