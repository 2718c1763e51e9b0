"""``python -m airflow_sagemaker_presign.local``: run SageMaker on this machine until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_sagemaker_presign.local.services import LocalServices

DESCRIPTION = """\
SageMaker notebook instances on this machine, without an AWS account: the API for any AWS client, real JupyterLabs
that the presigned URLs open, and an inbox that shows the mails and Slack messages sent to it. Everything listens on
127.0.0.1 only, keeps its data in memory, and stops with Ctrl-C."""
EPILOG = """\
failures on demand:
  as a tag of a notebook instance when it is created:
    local:start=no-capacity | lifecycle-timeout | does-not-take | quota   (with :1 at the end: the first time only)
    local:start-seconds=120   local:stop-seconds=30   local:status=Stopped
  or over HTTP, at any time, as JSON:
    curl -X POST http://127.0.0.1:5100/local/faults/start --json '{"notebook": "research", "outcome": "no-capacity"}'
    curl -X POST http://127.0.0.1:5100/local/faults/calls --json '{"error": "throttling", "times": 3}'
    curl -X PUT  http://127.0.0.1:5100/local/notebooks/research/status --json '{"status": "Updating"}'
    curl -X POST http://127.0.0.1:5100/local/clock/advance --json '{"seconds": 300}'
    curl -X POST http://127.0.0.1:5100/inbox/faults/slack --json '{"fault": "429", "retry_after": 3}'
    curl -X POST http://127.0.0.1:5100/inbox/faults/smtp --json '{"fault": "451-at-rcpt"}'
  show, and clear, the recorded API requests and the pending faults:
    curl http://127.0.0.1:5100/local/requests
    curl http://127.0.0.1:5100/local/faults
    curl http://127.0.0.1:5100/inbox/faults
    curl -X DELETE http://127.0.0.1:5100/local/requests
    curl -X DELETE http://127.0.0.1:5100/local/faults
    curl -X DELETE http://127.0.0.1:5100/inbox/faults
"""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_sagemaker_presign.local",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=_port, default=5100, help="for the API and the inbox; 0: a free one (default: 5100)")
    add("--smtp-port", type=_port, default=0, help="for mail; 0: a free one (default: 0)")
    add(
        "--notebook",
        action="append",
        metavar="NAME",
        help="create this notebook instance, Stopped; may be repeated (default: research)",
    )
    add("--start-seconds", type=_seconds, default=10, metavar="S", help="how long a start takes (default: 10)")
    add("--stop-seconds", type=_seconds, default=5, metavar="S", help="how long a stop takes (default: 5)")
    add("--no-jupyter", action="store_true", help="run no JupyterLab; presigned URLs then open nothing")
    add("--folder", type=Path, help="where JupyterLab keeps notebooks and its log (default: a temporary folder)")
    add("--ready-file", type=Path, metavar="PATH", help="write all addresses there, as JSON, when everything is up")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """
    Run the local services until SIGINT or SIGTERM.

    :return: the exit code: 0 after a clean stop, 1 when JupyterLab does not start, 2 for a port in use.
    """
    options = parse(arguments)
    stop = _stop_at_signals()
    # Imported here, because moto takes a second to import, and --help should not.
    from airflow_sagemaker_presign.local.http_server import PortInUse
    from airflow_sagemaker_presign.local.jupyter.process import JupyterFailed

    if options.ready_file:
        options.ready_file.parent.mkdir(parents=True, exist_ok=True)
        # A file of an earlier run would signal that this one is ready.
        options.ready_file.unlink(missing_ok=True)
    services = _services(options)
    try:
        services.start()
    except PortInUse as error:
        print(f"{error} Choose another with --port or --smtp-port; 0 takes a free one.", file=sys.stderr)
        return 2
    except JupyterFailed as error:
        print(error, file=sys.stderr)
        return 1
    try:
        if options.ready_file:
            _write_ready_file(options.ready_file, services.addresses())
        print(_startup_message(services.addresses(), options), flush=True)
        stop.wait()
    finally:
        services.stop()
        if options.ready_file:
            options.ready_file.unlink(missing_ok=True)
    return 0


def _services(options: argparse.Namespace) -> LocalServices:
    from airflow_sagemaker_presign.local.services import LocalServices

    return LocalServices(
        port=options.port,
        smtp_port=options.smtp_port,
        jupyter=not options.no_jupyter,
        start_seconds=options.start_seconds,
        stop_seconds=options.stop_seconds,
        notebooks=tuple(dict.fromkeys(options.notebook or ["research"])),
        folder=options.folder,
    )


def _stop_at_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # As nohup sets it.
        signal.signal(signal.SIGHUP, lambda *_: stop.set())
    return stop


def _write_ready_file(path: Path, addresses: dict[str, Any]) -> None:
    # Replaced atomically, so that a process that waits for the file never reads half of it.
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(addresses, indent=2))
    unfinished.replace(path)


def _startup_message(addresses: dict[str, Any], options: argparse.Namespace) -> str:
    name = (options.notebook or ["research"])[0]
    environment = (
        f"export AWS_ENDPOINT_URL={addresses['endpoint_url']} AWS_DEFAULT_REGION=us-east-1 "
        "AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local"
    )
    command = "aws sagemaker {} --notebook-instance-name " + name
    lines = [
        "SageMaker runs on this machine. Ctrl-C stops it.",
        "",
        f"  SageMaker API  {addresses['endpoint_url']}",
        f"  Inbox          {addresses['inbox_url']}",
        f"  Mail (SMTP)    {addresses['smtp_host']}:{addresses['smtp_port']}, no TLS, any login or none",
        f"  Slack API      {addresses['slack_base_url']}",
        f"  Slack webhook  {addresses['slack_webhook_url']}",
        f"  JupyterLab     {'one for each notebook' if addresses['jupyter_log'] else 'not running (--no-jupyter)'}",
    ]
    if addresses["jupyter_log"]:
        lines.append(f"  Its log        {addresses['jupyter_log']}")
    lines += ["", "With the AWS CLI, in another terminal:", "", f"  {environment}"]
    for operation in ("start-notebook-instance", "wait notebook-instance-in-service"):
        lines.append(f"  {command.format(operation)}")
    lines.append(f"  {command.format('create-presigned-notebook-instance-url')} --output text")
    return "\n".join(lines)


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port; use 0 to 65535")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < 86400:
        raise argparse.ArgumentTypeError(f"{text} is not valid; use seconds from 0 to below 86400")
    return number


if __name__ == "__main__":
    sys.exit(main())
