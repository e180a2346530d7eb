"""A cluster for whereabouts, the IPAM plugin: an API server of the tests' own, of which it asks little.

It is no Kubernetes. It keeps objects of any kind by their paths, gives each a resourceVersion, and knows what
whereabouts 0.9.2 asks of a cluster: leases, by which one plugin at a time is the leader, IPPools and
OverlappingRangeIPReservations, to be read, listed, made, replaced, patched (RFC 6902, as far as objects go) and
deleted. Nobody has to say who he is, nothing is checked, nothing can be watched. It can be told to answer with an
error, or not at all.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

GROUP = "/apis/whereabouts.cni.cncf.io/v1alpha1/namespaces/kube-system"
POOLS = f"{GROUP}/ippools"
RESERVATIONS = f"{GROUP}/overlappingrangeipreservations"

FOLDER = Path("/etc/cni/net.d/whereabouts.d")
"""Where whereabouts looks for its configuration."""

Object = dict[str, Any]


class RefusedError(Exception):
    """What the server does not do. reason: the API's word for it."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Cluster(ThreadingHTTPServer):
    """The server. objects: what there is, by path. broken: paths that begin so are answered with an error. answers: is
    cleared where it is to keep callers waiting.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, Object] = {}
        self.broken: str | None = None
        self.answers = threading.Event()
        self.answers.set()
        self.waiting = threading.Event()
        self._changing = threading.Lock()
        self._version = 0

    def write_configuration(self, folder: Path) -> None:
        """Write down how the server is reached, and where that stands, as whereabouts' installation does."""
        named = {"cluster": {"server": f"http://127.0.0.1:{self.server_port}"}, "name": "lab"}
        context = {"context": {"cluster": "lab", "user": "", "namespace": "kube-system"}, "name": "lab"}
        whole = {"apiVersion": "v1", "kind": "Config", "clusters": [named], "contexts": [context]}
        folder.mkdir(parents=True)
        kubeconfig = folder / "whereabouts.kubeconfig"
        kubeconfig.write_text(json.dumps({**whole, "current-context": "lab"}))
        said = {"datastore": "kubernetes", "kubernetes": {"kubeconfig": str(kubeconfig)}}
        (folder / "whereabouts.conf").write_text(json.dumps(said))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a caller that was killed while it waited."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def below(self, path: str) -> list[Object]:
        """Return the objects of one kind."""
        return [one for name, one in sorted(self.objects.items()) if name.startswith(f"{path}/")]

    def allocated(self) -> list[Object]:
        """Return what has an address: `id` (the container's), `podref`, `ifname`."""
        return [each for pool in self.below(POOLS) for each in pool["spec"]["allocations"].values()]

    def serve(self, method: str, path: str, body: Any) -> Object:
        """Do what is asked and return the answer. Raises RefusedError."""
        if self.broken is not None and path.startswith(self.broken):
            raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError")
        with self._changing:
            match method:
                case "GET" if path in self.objects:
                    return self.objects[path]
                case "GET" if path in (POOLS, RESERVATIONS):
                    return {"metadata": {"resourceVersion": str(self._version)}, "items": self.below(path)}
                case "POST":
                    path = f"{path}/{body['metadata']['name']}"
                    if path in self.objects:
                        raise RefusedError(HTTPStatus.CONFLICT, "AlreadyExists")
                    return self._keep(path, body)
                case _ if path not in self.objects:
                    raise RefusedError(HTTPStatus.NOT_FOUND, "NotFound")
                case "PUT":
                    if body["metadata"].get("resourceVersion") != self._version_of(path):
                        raise RefusedError(HTTPStatus.CONFLICT, "Conflict")
                    return self._keep(path, body)
                case "PATCH":
                    return self._keep(path, _patched(self.objects[path], body))
                case "DELETE":
                    return self.objects.pop(path)
        raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed")

    def _version_of(self, path: str) -> str:
        return str(self.objects[path]["metadata"]["resourceVersion"])

    def _keep(self, path: str, body: Object) -> Object:
        self._version += 1
        metadata = {**body["metadata"], "namespace": "kube-system", "resourceVersion": str(self._version)}
        self.objects[path] = {**body, "metadata": metadata}
        return self.objects[path]


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Cluster

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.server.answers.is_set():
            self.server.waiting.set()
            self.server.answers.wait()
        path = self.path.partition("?")[0]
        try:
            status, answer = HTTPStatus.OK, self.server.serve(self.command, path, json.loads(body or "null"))
        except RefusedError as refused:
            status = refused.status
            said = {"status": "Failure", "reason": refused.reason, "message": f"{path}: {refused}", "code": status}
            answer = {"kind": "Status", "apiVersion": "v1", **said}
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _patched(whole: Object, patch: list[Object]) -> Object:
    """Return an object with a JSON patch applied. Raises RefusedError where one of its tests fails."""
    result: Object = json.loads(json.dumps(whole))
    for operation in patch:
        *above, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        place = result
        for name in above:
            place = place[name]
        match operation["op"]:
            case "test" if place.get(last) != operation.get("value"):
                raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid")
            case "add" | "replace":
                place[last] = operation["value"]
            case "remove":
                del place[last]
    return result


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Have a cluster until the end, which whereabouts on this node knows how to reach."""
    with Cluster() as made:
        made.write_configuration(FOLDER)
        serving = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serving.start()
        try:
            yield made
        finally:
            made.answers.set()
            made.shutdown()
            serving.join()
            shutil.rmtree(FOLDER)
