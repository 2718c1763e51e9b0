"""Base of the operators that stop a workspace, at once or when it is idle: watch, warn, look again, stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from airflow_sagemaker_presign import validation
from airflow_sagemaker_presign.delivery.link_mode import NO_PRESIGNED_URL_IN_WARNING, reject_presigned_url_in_templates
from airflow_sagemaker_presign.links import SageMakerNotebookKeepLink, launch_url
from airflow_sagemaker_presign.operators.allowed_users import AllowedUsers, WithAllowedUsers
from airflow_sagemaker_presign.operators.base import WorkspaceOperator
from airflow_sagemaker_presign.usage.stop_warning import KEEP_KEY
from airflow_sagemaker_presign.wording import format_duration

if TYPE_CHECKING:
    from airflow_sagemaker_presign.compat import BaseNotifier, Context
    from airflow_sagemaker_presign.hooks.base import WorkspaceHook
    from airflow_sagemaker_presign.idle.watch import IdleWatch, Verdict
    from airflow_sagemaker_presign.triggers.base import IdleTrigger
    from airflow_sagemaker_presign.waiting.state_machine import Goal


class IdleStopOperator(WithAllowedUsers, WorkspaceOperator):
    """
    Base of the operators that stop a workspace; use a subclass.

    With ``idle_for``, the task first watches the workspace until it has been idle for so long: no kernel is busy, and
    nothing has happened in a kernel or a terminal. Nobody can see what shows nowhere: processes started with ``nohup``
    or in ``tmux``, a terminal without output, reading without a kernel. An endless loop or an open ``input()`` is never
    idle. What cannot be seen, since the Jupyter server cannot be asked, counts as in use; after an hour it is an error.

    The worker and the triggerer ask the Jupyter server itself, so both must reach the notebook's address. Each look
    mints a session of 30 minutes, whose cookie stays in the memory of the process.

    :param wait_for_completion: wait until it is stopped; otherwise only until the stop is under way.
    :param idle_for: how long it must be idle until it is stopped, as a timedelta or in seconds; ``None``: it is stopped
        at once. (templated; as text in seconds)
    :param warn_before: how long before the stop people are warned, as a timedelta or in seconds; below ``idle_for``. It
        is never stopped sooner than that after the warning.
    :param notifiers: one or more Airflow notifiers, which send the warning. Their templates have ``stop_warning``
        (``.stops_at``, ``.idle_since``, ``.idle_for``, ``.at_latest``, ``.latest_at``, ``.running``, ``.unknown``),
        ``workspace`` (``.name``), AWS's description (``notebook_instance``), ``recipient``, ``launch_url`` (the page
        with the button "Keep it running"; empty where there is none), and the whole Airflow context.
    :param at_latest: when it is stopped, whatever runs in it, after the same warning: a time of day (the next one, in
        its own time zone or the DAG's; or one that has passed less than an hour ago, since the DAG run began), also as
        text such as ``"20:00"``, or a timedelta from the start of the task. (templated)
    :param count_connections: whether a kernel with a connection, such as an open browser tab's, is in use.
    :param recipient: the person whom the warning is for; a variable of the notifiers' templates. (templated)
    :param allowed_users: the users who may keep it running: ``"editors"`` for all who may edit the task instance, or a
        list of Airflow user names or e-mail addresses. (templated)
    """

    template_fields: Sequence[str] = (
        *WorkspaceOperator.template_fields,
        "idle_for",
        "at_latest",
        "recipient",
        "allowed_users",
    )

    def __init__(
        self,
        *,
        wait_for_completion: bool,
        idle_for: timedelta | float | str | None,
        warn_before: timedelta | float,
        notifiers: BaseNotifier | Sequence[BaseNotifier],
        at_latest: time | timedelta | str | None,
        count_connections: bool,
        recipient: str | None,
        allowed_users: AllowedUsers,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.idle_for: Any = idle_for
        self.at_latest: Any = at_latest
        self.wait_for_completion = wait_for_completion
        self.warn_before = validation.positive_duration_of("warn_before", warn_before).total_seconds()
        nobody = isinstance(notifiers, (list, tuple)) and not notifiers
        self.notifiers = () if nobody else validation.notifiers_of(notifiers)
        self.count_connections = validation.one_of("count_connections", count_connections, (True, False))
        self.recipient = recipient
        self._allowed_users = validation.allowed_users_of(allowed_users)
        self._check_watch(rendered=False)
        reject_presigned_url_in_templates(self.notifiers, NO_PRESIGNED_URL_IN_WARNING)

    def _check(self, *, rendered: bool = True) -> None:
        super()._check(rendered=rendered)
        if rendered:
            self._check_watch(rendered=True)

    def _check_watch(self, *, rendered: bool) -> None:
        if rendered or not validation.is_template(self.at_latest):
            self.at_latest = validation.at_latest_of(self.at_latest)
        if not rendered and validation.is_template(self.idle_for):
            return
        idle_for = validation.idle_for_of(self.idle_for)
        # As seconds, which the launch page reads in Airflow's database.
        self.idle_for = None if idle_for is None else idle_for.total_seconds()
        if idle_for is None:
            for name, value in (("notifiers", self.notifiers), ("at_latest", self.at_latest)):
                if value:
                    validation.reject(name, value, "None unless idle_for is set")
        elif self.warn_before >= self.idle_for:
            validation.reject("warn_before", timedelta(seconds=self.warn_before), f"below idle_for, {idle_for}")

    def stop(self, context: Context) -> str:
        """Stop the workspace, at once or when it is idle, wait, and return the final status."""
        if self.idle_for is None:
            return self.reach(context, self._goal)
        validation.rendered_allowed_users_of(self.allowed_users)
        from airflow_sagemaker_presign.delivery.deliver import prepare
        from airflow_sagemaker_presign.idle.watch import IdleWatch

        # Detect undeliverable warnings now, not hours later.
        prepare(self.notifiers, self._for_notifiers(context), "all")
        self._try("show the button to the launch page", lambda: SageMakerNotebookKeepLink().persist(context))
        status = self.workspace.observation_of(self.describe()).status
        now = self._runtime.utc_now()
        stop_at = _stop_at_of(self.at_latest, context, now)
        watch = IdleWatch(
            self.workspace,
            self.idle_for,
            self.warn_before,
            stop_at=None if stop_at is None else stop_at.timestamp(),
            count_connections=self.count_connections,
            status=status,
            # Airflow has deleted who kept it running in an earlier try, so that it counts as kept right now.
            active_at=now.timestamp() if (getattr(context["ti"], "try_number", None) or 1) > 1 else 0.0,
        )
        self.log.info(
            "The %s is stopped once it has been idle for %s%s.",
            self.workspace,
            format_duration(timedelta(seconds=self.idle_for)),
            "" if stop_at is None else f", at {stop_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC at the latest",
        )
        # Here, since Airflow's scheduler fails a task whose trigger fires before it has noticed the deferral: a
        # notebook that has been idle for long is warned of at once.
        watch, is_running = self._look(context, watch)
        step = self._go_on(context, watch) if is_running else self._until_stopped(context, watch)
        return self._watch(context, step)

    def execute_watch(self, context: Context, event: Mapping[str, Any] | None = None) -> str:
        """Continue after the trigger's event: warn, or look again and stop, unless somebody keeps it running."""
        from airflow_sagemaker_presign.exceptions import WorkspaceError
        from airflow_sagemaker_presign.idle.watch import IdleWatch, Verdict

        self._check()
        if not event:
            raise WorkspaceError(self.workspace.name, "The trigger ended without an event.", noun=self.workspace.noun)
        if event["status"] == "error":
            raise WorkspaceError.from_event(event)
        watch = IdleWatch.from_dict(event["watch"], self._kind())
        return self._watch(context, self._after(Verdict(event["status"]), watch, context))

    @property
    def _goal(self) -> Goal:
        from airflow_sagemaker_presign.waiting.state_machine import Goal

        return Goal.STOPPED if self.wait_for_completion else Goal.STOPPING

    def _idle_trigger_class(self) -> type[IdleTrigger]:
        raise NotImplementedError

    def _watch(self, context: Context, step: IdleWatch | str) -> str:
        """Watch until something is due, in the triggerer or here, and do it, until a step returns the final status."""
        from airflow_sagemaker_presign.idle.look import until_due

        while not isinstance(step, str):
            if self.deferrable:
                self.defer(
                    trigger=self._idle_trigger_class()(watch=step.as_dict(), **self._client_in_triggerer()),
                    method_name="execute_watch",
                )
            watch, verdict = asyncio.run(until_due(step, self._request, self._runtime, self.log))
            step = self._after(verdict, watch, context)
        return step

    def _after(self, verdict: Verdict, watch: IdleWatch, context: Context) -> IdleWatch | str:
        """
        Do what is due, as far as it still is: the triggerer's look may be old, and people go on meanwhile.

        Like each step, it returns the watch to go on with, or the final status.
        """
        from airflow_sagemaker_presign.idle.watch import Verdict

        if verdict is Verdict.WARN and not watch.is_stale(self._runtime.time()):
            return self._go_on(context, watch)
        if verdict is Verdict.STOP:
            # With a clock behind the triggerer's, the trigger would fire again and again at once.
            self._runtime.sleep(watch.seconds_to_stop(self._runtime.time()))
        watch, is_running = self._look(context, watch)
        if not is_running:
            return self._until_stopped(context, watch)
        return self._go_on(context, watch.looked_in_worker())

    def _go_on(self, context: Context, watch: IdleWatch) -> IdleWatch | str:
        """Do what follows from the last look: stop, or warn and watch, or watch."""
        from airflow_sagemaker_presign.idle.watch import Verdict

        watch = self._kept(context, watch)
        verdict = watch.verdict(self._runtime.time())
        if verdict is Verdict.STOP:
            return self._stop(context, watch)
        return self._warn(context, watch) if verdict is Verdict.WARN else watch

    def _look(self, context: Context, watch: IdleWatch) -> tuple[IdleWatch, bool]:
        """Look from the worker; return the watch, and whether there is anything to watch."""
        from airflow_sagemaker_presign.idle.look import look

        # The connection is looked up before there is an event loop, in which Airflow refuses to.
        self._show_console_button(context)
        watch, _, is_running = asyncio.run(look(watch, None, self._request, self._runtime))
        if is_running:
            watch.log_use(self.log)
        return watch, is_running

    def _stop(self, context: Context, watch: IdleWatch) -> IdleWatch | str:
        """Send a Stop now or not at all: what a look has seen is true for a moment only."""
        from airflow_sagemaker_presign.exceptions import SageMakerUnavailable
        from airflow_sagemaker_presign.idle.look import MAY_BECOME_READY
        from airflow_sagemaker_presign.idle.watch import Verdict
        from airflow_sagemaker_presign.workspaces.base import CAN_STOP

        try:
            observation = self.hook.observe(self.workspace)
            # As late as possible: people press the button until the last moment.
            watch = self._kept(context, watch)
            if watch.verdict(self._runtime.time()) is not Verdict.STOP:
                return self._go_on(context, watch)
            if observation.phase in MAY_BECOME_READY:
                return watch.changing(self._runtime.time())
            if observation.phase in CAN_STOP and self.hook.stop(self.workspace):
                return self._until_stopped(context, watch, observation.changed_at)
        except SageMakerUnavailable as error:
            self.log.warning("It is not stopped for now: %s", error.problem)
            return watch.not_stopped(error, self._runtime.time())
        except self.workspace.errors.not_found:
            pass
        return self._until_stopped(context, watch)

    def _until_stopped(self, context: Context, watch: IdleWatch, before_our_stop: str | None = None) -> str:
        """
        Wait until it has stopped, and send nothing more: what is started again meanwhile is in use.

        :param before_our_stop: the time of the last change before our Stop; ``None``: somebody else stops it.
        """
        from airflow_sagemaker_presign.waiting.state_machine import MAX_SENDS

        wait = replace(
            self._new_wait(self._goal, self.timeout),
            status=watch.status,
            sends=MAX_SENDS,
            sent_at=self._runtime.time(),
            moved=before_our_stop is None,
            changed_before_send=before_our_stop or "",
        )
        return self._wait(context, wait)

    def _warn(self, context: Context, watch: IdleWatch) -> IdleWatch:
        """Send the warning; without it, nothing is stopped."""
        from airflow_sagemaker_presign.delivery.stop_warning import deliver_stop_warning

        warning = watch.warning(self._runtime.time())
        stops_at = f"{warning.stops_at:%Y-%m-%d %H:%M} UTC"
        unless = "whatever runs in it" if warning.at_latest else "unless somebody uses or keeps it"
        self.log.info("The %s will be stopped at %s, %s.", self.workspace, stops_at, unless)
        description: dict[str, Any] = {}
        self._try("describe it for the warning", lambda: description.update(self.describe()))
        deliver_stop_warning(
            self.notifiers, self._for_notifiers(context), warning, description, self.workspace, self._runtime
        )
        return watch.warned(self._runtime.time())

    def _for_notifiers(self, context: Context) -> dict[str, Any]:
        """Return the variables of the notifiers' templates that are known before the watch."""
        return {
            **context,
            "workspace": self.workspace,
            "recipient": self.recipient,
            "launch_url": self._launch_url(context),
        }

    def _launch_url(self, context: Context) -> str:
        ti: Any = context["ti"]
        return launch_url(ti.dag_id, ti.run_id, ti.task_id, ti.map_index) or ""

    def _kept(self, context: Context, watch: IdleWatch) -> IdleWatch:
        """Return the watch after the last request to keep the workspace running, which the launch page stores."""
        ti: Any = context["ti"]
        asked_at = ti.xcom_pull(task_ids=ti.task_id, key=KEEP_KEY, map_indexes=ti.map_index)
        try:
            at = None if asked_at is None else datetime.fromisoformat(asked_at).timestamp()
        except (TypeError, ValueError, OverflowError):
            self.log.warning("The XCom %s is not a time, so it is ignored.", KEEP_KEY)
            return watch
        kept = watch.kept(at, self._runtime.time())
        if kept.kept_at != watch.kept_at:
            self.log.info("Somebody asked at %s to keep the %s running.", asked_at, self.workspace)
        return kept

    async def _request(self, send: Callable[[WorkspaceHook], Any]) -> Any:
        from airflow_sagemaker_presign.exceptions import SageMakerUnavailable
        from airflow_sagemaker_presign.hooks.error_codes import STALE_CREDENTIALS_CODES

        try:
            return send(self.hook)
        except SageMakerUnavailable as error:
            if error.code not in STALE_CREDENTIALS_CODES:
                raise
        # In a thread, since Airflow refuses to look up a connection in an event loop.
        await asyncio.to_thread(self.hook.renew)
        return send(self.hook)


def _stop_at_of(at_latest: time | timedelta | None, context: Context, now: datetime) -> datetime | None:
    from airflow_sagemaker_presign.idle.latest import stop_at_of

    zone = getattr(context.get("dag"), "timezone", None)
    run_began = getattr(context.get("dag_run"), "start_date", None)
    return stop_at_of(at_latest, now, zone if isinstance(zone, tzinfo) else UTC, run_began or now)
