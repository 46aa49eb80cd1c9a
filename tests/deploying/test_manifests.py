"""What is deployed by other tools: compose, Kubernetes, the worker image; held to their own schemas."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from prefect.client.orchestration import PrefectClient
from prefect.workers.base import BaseJobConfiguration
from prefect_docker.worker import DockerWorker, DockerWorkerJobConfiguration
from prefect_kubernetes.worker import KubernetesWorker, KubernetesWorkerJobConfiguration

from flows.deploying.options import DeployOptions, PoolType
from flows.deploying.pools import job_template
from tasks.settings import Backend
from tests.processes import ROOT

DEPLOYMENTS = ROOT / "deployments"
VERSIONS = ["1.33", "1.35"]


def needs(program: str) -> str:
    """The path of a program; skips where it is not installed, which fails in CI."""
    path = shutil.which(program)
    if path is None:
        assert not os.environ.get("KODFORGE_REQUIRE_DOCKER"), f"{program} is not installed"
        pytest.skip(f"{program} is not installed")
    return path


@cache
def rendered() -> list[dict[str, Any]]:
    done = subprocess.run(
        [needs("kubectl"), "kustomize", DEPLOYMENTS / "kubernetes"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def populated(configuration: type[BaseJobConfiguration], template: dict[str, Any], values: dict[str, Any]) -> Any:
    """A job as a worker makes it of a template. What is looked up on a server is not in these."""

    async def populate() -> BaseJobConfiguration:
        async with PrefectClient("http://127.0.0.1:9/api") as client:
            return await configuration.from_template_and_values(template, values, client=client)

    return asyncio.run(populate())


def job(kind: PoolType, **options: Any) -> dict[str, Any]:
    """The job template of a pool, with the variables of a deployment."""
    worker = {PoolType.DOCKER: DockerWorker, PoolType.KUBERNETES: KubernetesWorker}[kind]
    template = worker.get_default_base_job_template()
    given = DeployOptions(file=Path("x"), directory=Path("/"), pool_type=kind, **options)
    return job_template(template, given)


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_objects_are_valid(version):
    for found in rendered():
        kubernetes_validate.validate(found, version, strict=True)


def test_kubernetes_objects_fit_together():
    """Every volume claim, account, secret and service that is named is there, or is named in the instructions."""
    kinds = {(found["kind"], found["metadata"]["name"]) for found in rendered()}
    text = (DEPLOYMENTS / "kubernetes/kustomization.yaml").read_text()
    pods = [found["spec"]["template"]["spec"] for found in rendered() if found["kind"] in ("Deployment", "StatefulSet")]
    template = job(PoolType.KUBERNETES)
    pods.append(template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"])
    account = template["variables"]["properties"]["service_account_name"]["default"]
    assert ("ServiceAccount", account) in kinds
    for pod in pods:
        if name := pod.get("serviceAccountName"):
            assert name.startswith("{{") or ("ServiceAccount", name) in kinds
        for volume in pod.get("volumes", []):
            if claim := volume.get("persistentVolumeClaim"):
                assert ("PersistentVolumeClaim", claim["claimName"]) in kinds
        for secret in re.findall(r"'secretKeyRef': \{'key': '[\w-]+', 'name': '([\w-]+)'", str(pod)):
            assert f"secret generic {secret}" in text
    namespace = template["variables"]["properties"]["namespace"]["default"]
    assert ("Namespace", namespace) in kinds


def test_the_jobs_run_the_image_that_the_worker_runs(tmp_path):
    folder = tmp_path / "overlay"
    shutil.copytree(DEPLOYMENTS / "kubernetes", folder / "base")
    base = folder / "base/kustomization.yaml"
    base.write_text(base.read_text().replace("newTag: latest", "newTag: 1.2.3"))
    done = subprocess.run([needs("kubectl"), "kustomize", folder / "base"], capture_output=True, text=True, check=True)
    worker = next(
        found
        for found in yaml.safe_load_all(done.stdout)
        if found["kind"] == "Deployment" and found["metadata"]["name"] == "worker"
    )
    env = {one["name"]: one["value"] for one in worker["spec"]["template"]["spec"]["initContainers"][0]["env"]}
    assert env["KODFORGE_IMAGE"] == "kodforge-worker:1.2.3"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_kubernetes_job_is_valid(version):
    template = job(PoolType.KUBERNETES, image="host/kodforge-worker:1.2.3")
    found = populated(KubernetesWorkerJobConfiguration, template, {"name": "a-run"})
    manifest = {**found.job_manifest}
    pod = manifest["spec"]["template"]["spec"]
    for misplaced in ("completions", "parallelism"):  # by Prefect's own template; an API server drops them
        del pod[misplaced]
    container = pod["containers"][0]
    container["args"] = ["prefect", "flow-run", "execute"]  # the worker makes a list of the command
    container["env"] = [{"name": name, "value": value} for name, value in found.env.items()]
    kubernetes_validate.validate(manifest, version, strict=True)
    assert container["image"] == "host/kodforge-worker:1.2.3"
    assert (pod["hostUsers"], container["securityContext"]["procMount"]) == (False, "Unmasked")


@pytest.mark.parametrize(
    ("sandbox", "privileged", "socket"), [(Backend.AUTO, False, True), (Backend.BUBBLEWRAP, True, False)]
)
def test_a_docker_job(sandbox, privileged, socket):
    template = job(PoolType.DOCKER, sandbox=sandbox, env={"KODFORGE_SEED": "7"})
    values = {"env": {"MORE": "1"}}
    found = populated(DockerWorkerJobConfiguration, template, values)
    assert found.privileged is privileged
    assert any("docker.sock" in volume for volume in found.volumes) is socket
    assert found.container_create_kwargs is not None
    assert found.container_create_kwargs["security_opt"] == ["no-new-privileges"]
    assert (found.env["KODFORGE_SEED"], found.env["MORE"]) == ("7", "1")
    assert found.env["KODFORGE_SANDBOX__BACKEND"] == ("docker" if socket else "bubblewrap")


def test_what_somebody_changed_of_a_pool_stays():
    template = job(PoolType.DOCKER)
    template["variables"]["properties"]["networks"]["default"] = ["ours"]
    template["variables"]["properties"]["env"]["default"]["OURS"] = "1"
    again = job_template(template, DeployOptions(file=Path("x"), directory=Path("/"), pool_type=PoolType.DOCKER))
    assert again == template


def test_compose_file_is_valid(tmp_path):
    for name in ("compose.yaml", "seccomp.json"):
        shutil.copy(DEPLOYMENTS / name, tmp_path)
    config = [needs("docker-compose"), "--file", tmp_path / "compose.yaml", "config"]
    refused = subprocess.run(config, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "set it in deployments/.env" in refused.stderr

    example = (DEPLOYMENTS / ".env.example").read_text()
    filled = example.replace("PASSWORD=\n", "PASSWORD=one\n").replace("SECRET_ACCESS_KEY=\n", "SECRET_ACCESS_KEY=two\n")
    (tmp_path / ".env").write_text(filled)
    done = subprocess.run(config, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    for name, service in services.items():
        assert ":" in service["image"] or service["image"] == "kodforge-worker", f"{name} has no pinned tag"
        assert service["restart"] == ("no" if name == "setup" else "unless-stopped")
    assert "POSTGRES_PASSWORD" not in services["worker"]["environment"]
    address = str(services["server"]["ports"])
    assert "127.0.0.1" in address


def test_worker_lock_has_the_versions_that_are_tested():
    def pins(path: Path) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9._-]+(?:\[[a-z,]+\])?)==(\S+)", path.read_text(), re.MULTILINE))

    tested, shipped = pins(ROOT / "requirements.lock"), pins(DEPLOYMENTS / "requirements-worker.lock")
    assert {name: version for name, version in shipped.items() if tested.get(name) != version} == {}
    assert "--hash=sha256:" in (DEPLOYMENTS / "requirements-worker.lock").read_text()


def test_seccomp_profile_refuses_what_no_box_needs():
    profile = json.loads((DEPLOYMENTS / "seccomp.json").read_text())
    refused = set(profile["syscalls"][0]["names"])
    assert {"bpf", "init_module", "keyctl", "ptrace", "io_uring_setup", "open_by_handle_at"} <= refused
    assert not refused & {"clone", "unshare", "mount", "pivot_root", "umount2"}
