"""The set-up for Kubernetes, as far as it can be tested without a cluster: its files parse, agree with
each other and with the charts' names, and carry no answer into an image. That a chart installs and an image
builds is not tested here."""

from __future__ import annotations

import asyncio
import re
import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from autograder.sandbox.client import Limits

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "deploy" / "kubernetes"
CONTAINER = REPOSITORY / "deploy" / "container"
#: The charts' names that the values files use, by path: from jupyterhub/values.schema.yaml of
#: zero-to-jupyterhub-k8s and helmchart/ngshare/values.yaml of ngshare.
HUB_NAMES = {
    "hub": {"config", "services", "loadRoles", "loadGroups", "extraConfig"},
    "singleuser": {
        *("image", "defaultUrl", "memory", "cpu", "storage", "uid", "fsGid", "allowPrivilegeEscalation"),
        *("cloudMetadata", "networkPolicy"),
    },
    "singleuser.memory": {"limit", "guarantee"},
    "singleuser.cpu": {"limit", "guarantee"},
    "singleuser.cloudMetadata": {"blockWithIptables", "ip"},
    "singleuser.networkPolicy": {"enabled", "egressAllowRules", "egress"},
    "singleuser.networkPolicy.egressAllowRules": {"cloudMetadataServer", "nonPrivateIPs", "privateIPs"},
    "cull": {"enabled", "timeout"},
}
EXCHANGE_NAMES = {
    "image": {"repository", "tag"},
    "ngshare": {"hub_api_token", "admins", "env", "debug"},
    "deployment": {"replicaCount", "resources"},
    "pvc": {"storage"},
}


def values(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return found


def at(document: dict[str, Any], path: str) -> dict[str, Any]:
    for key in path.split("."):
        document = document[key]
    return document


@pytest.mark.parametrize(("file", "names"), [("values.yaml", HUB_NAMES), ("exchange.yaml", EXCHANGE_NAMES)])
def test_the_values_use_the_charts_names(file: str, names: dict[str, set[str]]) -> None:
    document = values(file)
    assert set(document) == {path for path in names if "." not in path}
    for path, known in names.items():
        assert set(at(document, path)) <= known, path


def test_hub_and_exchange_share_one_token_and_the_exchange_is_reachable_by_all() -> None:
    hub, exchange = values("values.yaml")["hub"], values("exchange.yaml")["ngshare"]
    assert hub["services"]["ngshare"]["apiToken"] == exchange["hub_api_token"] == "TOKEN_OF_THE_EXCHANGE"
    assert exchange["debug"] is False
    for role in ("user", "server"):
        assert "access:services!service=ngshare" in hub["loadRoles"][role]["scopes"]


def test_a_students_pod_has_no_privilege_and_reaches_nothing_but_hub_and_proxy() -> None:
    document = values("values.yaml")
    pod, spawner = document["singleuser"], document["hub"]["config"]["KubeSpawner"]
    assert pod["allowPrivilegeEscalation"] is False
    assert spawner["container_security_context"]["capabilities"] == {"drop": ["ALL"]}
    assert spawner["pod_security_context"]["seccompProfile"]["type"] == "RuntimeDefault"
    policy = pod["networkPolicy"]
    assert policy["enabled"] is True
    assert set(policy["egressAllowRules"].values()) == {False}
    targets = [
        to["podSelector"]["matchLabels"]["component"] for rule in policy["egress"] for to in rule["to"]
    ]
    assert targets == ["proxy"]


def spawned(groups: list[str]) -> SimpleNamespace:
    """A spawner of a user in `groups`, after the hook of the values."""
    config = SimpleNamespace(KubeSpawner=SimpleNamespace())
    exec(values("values.yaml")["hub"]["extraConfig"]["instructors.py"], {"c": config})
    user = SimpleNamespace(groups=[SimpleNamespace(name=name) for name in groups])
    spawner = SimpleNamespace(user=user, image="student")
    asyncio.run(config.KubeSpawner.pre_spawn_hook(spawner))
    return spawner


def test_instructors_alone_get_the_image_that_grades_and_room_for_two_submissions() -> None:
    instructors = next(iter(values("values.yaml")["hub"]["loadGroups"]))
    found = spawned([instructors])
    assert found.image == "REGISTRY/attention-instructor:TAG"
    assert int(found.mem_limit.removesuffix("G")) << 30 >= 2 * Limits().memory_bytes
    assert spawned(["students"]).image == "student"


def copies(dockerfile: Path) -> list[tuple[str, str]]:
    """What a Dockerfile copies, each with the build context that it comes from."""
    lines = re.findall(r"^COPY (?:--from=(\w+) )?(.+) \S+$", dockerfile.read_text(), re.MULTILINE)
    return [(context, source) for context, sources in lines for source in sources.split()]


@pytest.mark.parametrize(
    "dockerfile", [*sorted(FOLDER.glob("*Dockerfile")), CONTAINER / "Dockerfile"], ids=lambda path: path.name
)
def test_an_image_copies_what_is_there_and_nothing_that_knows_an_answer(dockerfile: Path) -> None:
    contexts = {"deploy": REPOSITORY / "deploy", "": REPOSITORY}
    for context, source in copies(dockerfile):
        if (dockerfile.name, context, source) == ("student.Dockerfile", "", "."):
            continue  # the student bundle, which the leak check has been through
        assert (contexts[context] / source).exists(), source
        assert source.split("/")[0] in ("requirements.lock", "deploy", "jupyterhub", "kubernetes"), source


def test_nbgrader_in_the_images_asks_the_exchange_as_the_hubs_user(monkeypatch: pytest.MonkeyPatch) -> None:
    configured: list[Any] = []
    exchange = ModuleType("ngshare_exchange")
    vars(exchange)["configureExchange"] = configured.append
    monkeypatch.setitem(sys.modules, "ngshare_exchange", exchange)
    monkeypatch.delenv("USER", raising=False)
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    config = SimpleNamespace(CourseDirectory=SimpleNamespace())
    runpy.run_path(str(FOLDER / "nbgrader_config.py"), {"get_config": lambda: config})
    assert configured == [config]
    assert config.CourseDirectory.course_id == "attention"


def test_the_readme_names_every_file_and_only_those_that_are_there() -> None:
    text = (FOLDER / "README.md").read_text()
    table = set(re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE))
    assert table == {path.name for path in FOLDER.iterdir() if path.name != "README.md"}
    for place in ("docs/cluster.md", "docs/instructors.md", "tests/lesser_kernel.py"):
        assert place in text
        assert (REPOSITORY / place).is_file(), place
