"""What somebody may break in a generated project, and the test of its own that must say so.

Each `old` stands exactly once in its file: where it no longer does, the table is out of date, and
a test says that.
"""

from typing import NamedTuple

from conftest import FRAMEWORKS

PACKAGE = "src/my_service"
LIFECYCLE = f"{PACKAGE}/lifecycle"

# Where neither the code nor the test depends on the framework, one of them will do.
FASTAPI = ("fastapi",)
FLASK = ("flask",)


class Sabotage(NamedTuple):
    """One edit of one file, and the test that must fail then."""

    name: str
    file: str
    old: str
    new: str
    test: str
    frameworks: tuple[str, ...] = FRAMEWORKS


DRAIN = [
    Sabotage(
        "readiness does not flip",
        f"{LIFECYCLE}/supervisor.py",
        "if self.state is not State.READY:",
        "if self.state is State.STARTING:",
        "tests/test_drain.py::test_readyz_turns_503_at_once_while_livez_stays_200",
    ),
    Sabotage(
        "the drain takes no time",
        f"{LIFECYCLE}/supervisor.py",
        "self.budget.drain, lambda:",
        "0, lambda:",
        "tests/test_lifecycle.py::test_a_requested_stop_goes_through_all_phases_once",
        FLASK,
    ),
    Sabotage(
        "load balancers get no time to notice",
        f"{LIFECYCLE}/supervisor.py",
        "self.budget.drain, lambda:",
        "0, lambda:",
        "tests/test_load.py::test_no_request_fails_when_the_server_is_stopped",
    ),
    Sabotage(
        "the server hears of the signal at once, too",
        f"{LIFECYCLE}/signals.py",
        "            self._heard(signum)\n",
        "            self._heard(signum)\n            self._previous[signum](signum, frame)\n",
        "tests/test_chained_signals.py::test_we_hear_a_signal_and_the_server_does_not",
        FLASK,
    ),
    Sabotage(
        "the server never hears of the signal",
        f"{LIFECYCLE}/supervisor.py",
        "(self._server_gone or self._signals.pass_on(self._server_signal))",
        "True",
        "tests/test_drain.py::test_new_requests_are_served_during_the_drain_and_refused_after_it",
    ),
    Sabotage(
        "responses of the drain keep their connection",
        f"{LIFECYCLE}/inflight.py",
        '"http.response.start" and self._draining():',
        '"http.response.start" and False:',
        "tests/test_drain.py::test_every_response_of_the_drain_closes_its_connection",
        FASTAPI,
    ),
    Sabotage(
        "responses of the drain keep their connection",
        f"{PACKAGE}/worker.py",
        "response.force_close()",
        "pass",
        "tests/test_drain.py::test_every_response_of_the_drain_closes_its_connection",
        FLASK,
    ),
    Sabotage(
        "streams do not see the drain",
        f"{PACKAGE}/web/streams.py",
        "asyncio.ensure_future(lifecycle.drain_begun.reached())",
        "asyncio.ensure_future(asyncio.Event().wait())",
        "tests/test_drain.py::test_an_endless_stream_ends_with_the_drain",
        FASTAPI,
    ),
    Sabotage(
        "streams do not see the drain",
        f"{PACKAGE}/web/streams.py",
        "if lifecycle.draining:",
        "if lifecycle.stopped.is_set():",
        "tests/test_drain.py::test_an_endless_stream_ends_with_the_drain",
        FLASK,
    ),
    Sabotage(
        "loops see the end, but not the drain",
        f"{LIFECYCLE}/supervisor.py",
        "return self.drain_begun.wait(seconds)",
        "return self.cleanup_begun.wait(seconds)",
        "tests/test_lifecycle.py::test_loops_wake_up_at_the_drain",
        FLASK,
    ),
    Sabotage(
        "handlers that others have overwritten are not noticed",
        f"{LIFECYCLE}/signals.py",
        "if signal.getsignal(s) != ours]",
        "if signal.getsignal(s) is None]",
        "tests/test_chained_signals.py::test_it_names_signals_that_other_code_has_taken_over",
        FLASK,
    ),
    Sabotage(
        "readiness does not tell that handlers were overwritten",
        f"{LIFECYCLE}/supervisor.py",
        "if names := self._signals.overwritten():",
        "if names := list[str]():",
        "tests/test_health.py::test_it_is_not_ready_when_its_signal_handlers_are_overwritten",
    ),
]

REQUESTS = [
    Sabotage(
        "a request counts until its response begins, not ends",
        f"{LIFECYCLE}/inflight.py",
        "return _Body(body, lambda: self._requests.leave(token))",
        "self._requests.leave(token)\n        return body",
        "tests/test_inflight.py::test_a_wsgi_request_is_in_flight_until_its_body_is_closed",
        FLASK,
    ),
    Sabotage(
        "a request counts until its response begins, not ends",
        f"{LIFECYCLE}/inflight.py",
        "            await send(message)\n\n        #",
        "            await send(message)\n            self._requests.leave(token)\n\n        #",
        "tests/test_inflight.py::test_an_asgi_request_is_in_flight_until_the_application_has_returned",
        FASTAPI,
    ),
    Sabotage(
        "resources close while requests still use them",
        f"{LIFECYCLE}/supervisor.py",
        "(self._server_gone and not self.requests.count)",
        "self._server_gone",
        "tests/test_lifecycle.py::test_hooks_are_not_stopped_before_the_last_request_is_done",
        FLASK,
    ),
    Sabotage(
        "a stuck request outlasts its deadline",
        f"{LIFECYCLE}/supervisor.py",
        "self._wait(self.budget.requests, finished)",
        "self._wait(self.budget.requests + 3, finished)",
        "tests/test_lifecycle.py::test_a_request_is_abandoned_at_its_deadline",
        FLASK,
    ),
    Sabotage(
        "nobody is told where a request is stuck",
        f"{LIFECYCLE}/supervisor.py",
        ', "stacks": stacks(owners)}',
        "}",
        "tests/test_faults.py::test_a_stuck_request_does_not_outlast_its_deadline",
    ),
    Sabotage(
        "the last request that is done wakes nobody up",
        f"{LIFECYCLE}/inflight.py",
        "            self._on_idle()",
        "            pass",
        "tests/test_lifecycle.py::test_the_stop_goes_on_as_soon_as_all_websockets_have_gone",
        FLASK,
    ),
    Sabotage(
        "accepted connections are closed before they are served",
        f"{PACKAGE}/worker.py",
        "while self.server_state.connections and time.monotonic() < until:",
        "while False:",
        "tests/test_load.py::test_no_request_fails_when_the_workers_are_replaced",
        FASTAPI,
    ),
    Sabotage(
        "connections are accepted that nobody will serve",
        f"{PACKAGE}/worker.py",
        "if not (enabled or self.alive):",
        "if False:",
        "tests/test_drain.py::test_new_requests_are_served_during_the_drain_and_refused_after_it",
        FLASK,
    ),
]

WEBSOCKETS = [
    Sabotage(
        "WebSocket clients get no notice",
        f"{LIFECYCLE}/inflight.py",
        'await send({"type": "websocket.send", "text": self._notice()})',
        "pass",
        "tests/test_websocket.py::test_idle_clients_are_told_and_closed_with_the_drain",
        FASTAPI,
    ),
    Sabotage(
        "WebSockets are closed with the wrong code",
        f"{LIFECYCLE}/inflight.py",
        "SERVICE_RESTART = 1012 ",
        "SERVICE_RESTART = 1001 ",
        "tests/test_websocket.py::test_idle_clients_are_told_and_closed_with_the_drain",
        FASTAPI,
    ),
    Sabotage(
        "WebSockets stay open during the drain",
        f"{LIFECYCLE}/inflight.py",
        'await send({"type": "websocket.close", "code": SERVICE_RESTART, "reason": "shutdown"})',
        "pass",
        "tests/test_websocket.py::test_idle_clients_are_told_and_closed_with_the_drain",
        FASTAPI,
    ),
    Sabotage(
        "WebSockets that have gone are counted for ever",
        f"{LIFECYCLE}/inflight.py",
        "            self._websockets.leave(token)",
        "            pass",
        "tests/test_websocket.py::test_a_client_that_has_vanished_is_not_waited_for",
        FASTAPI,
    ),
    Sabotage(
        "a silent WebSocket client holds the exit",
        f"{LIFECYCLE}/supervisor.py",
        "self._wait(LEAVE_TAKING_SECONDS,",
        "self._wait(LEAVE_TAKING_SECONDS + 3,",
        "tests/test_lifecycle.py::test_websockets_get_a_moment_to_take_leave_but_no_more",
        FLASK,
    ),
]

HOOKS = [
    Sabotage(
        "hooks stop first in, first out",
        f"{LIFECYCLE}/hooks.py",
        "self._started.pop()",
        "self._started.pop(0)",
        "tests/test_hooks.py::test_they_start_in_order_and_stop_in_reverse",
        FLASK,
    ),
    Sabotage(
        "a hook may take longer than its timeout",
        f"{LIFECYCLE}/hooks.py",
        "self._wait(seconds, lambda: call.finished)",
        "self._wait(seconds + 3, lambda: call.finished)",
        "tests/test_hooks.py::test_nor_does_one_that_hangs",
        FLASK,
    ),
    Sabotage(
        "a hook that hangs uses up the others' time",
        f"{LIFECYCLE}/hooks.py",
        "max(0.05, min(hook.timeout, max(remaining - claimed, fair)))",
        "max(0.05, min(hook.timeout, remaining))",
        "tests/test_hooks.py::test_those_that_hang_leave_the_others_a_fair_share",
        FLASK,
    ),
    Sabotage(
        "a hook that fails keeps the others from stopping",
        f"{LIFECYCLE}/hooks.py",
        "                records.append(self._stop_one(hook.name, hook.stop, seconds))\n",
        "                records.append(self._stop_one(hook.name, hook.stop, seconds))\n"
        '                if records[-1].outcome == "failed":\n'
        "                    break\n",
        "tests/test_faults.py::test_hooks_that_fail_or_hang_do_not_keep_others_from_running",
    ),
    Sabotage(
        "a hook that calls sys.exit passes for stopped",
        f"{LIFECYCLE}/hooks.py",
        "except BaseException as error:  # SystemExit too",
        "except Exception as error:  # SystemExit too",
        "tests/test_hooks.py::test_one_that_fails_to_stop_does_not_keep_others_from_it",
        FLASK,
    ),
    Sabotage(
        "a failed start leaves open what has started",
        f"{LIFECYCLE}/supervisor.py",
        "            self._hooks.stop(lambda: self.budget.cleanup)\n",
        "",
        "tests/test_hooks.py::test_when_one_does_not_start_those_before_it_are_stopped",
        FLASK,
    ),
    Sabotage(
        "what never started is stopped",
        f"{LIFECYCLE}/hooks.py",
        "                if problem := call.problem:\n",
        "                if problem := call.problem:\n"
        "                    self._started.append(hook)\n",
        "tests/test_hooks.py::test_when_one_does_not_start_those_before_it_are_stopped",
        FLASK,
    ),
    Sabotage(
        "a hook that does not start lets the server start",
        f"{LIFECYCLE}/hooks.py",
        """raise StartError(f"hook {hook.name!r} did not start: {problem}")""",
        "logger.error(problem)",
        "tests/test_hooks.py::test_one_that_takes_too_long_to_start_fails_the_start",
        FLASK,
    ),
    Sabotage(
        "a coroutine that hangs is not cancelled",
        f"{LIFECYCLE}/hooks.py",
        "        self._cancel()",
        "        pass",
        "tests/test_hooks.py::test_a_coroutine_that_hangs_is_cancelled",
        FLASK,
    ),
    Sabotage(
        "coroutines run on an event loop of their own",
        f"{LIFECYCLE}/hooks.py",
        "if self._loop is None:",
        "if True:",
        "tests/test_hooks.py::test_coroutines_run_on_the_servers_event_loop_if_it_has_one",
        FLASK,
    ),
]

BACKGROUND = [
    Sabotage(
        "a background thread is not waited for",
        f"{LIFECYCLE}/background.py",
        "            self._thread.join()",
        "            pass",
        "tests/test_background_thread.py::test_it_starts_up_handles_and_shuts_down_in_its_own_thread",
        FLASK,
    ),
    Sabotage(
        "an exception ends a background thread",
        f"{LIFECYCLE}/background.py",
        "pause = min(pause * 2, LONGEST_PAUSE)",
        "return",
        "tests/test_background_thread.py::test_an_error_is_logged_and_retried_with_growing_pauses",
        FLASK,
    ),
    Sabotage(
        "sys.exit ends a background thread",
        f"{LIFECYCLE}/background.py",
        "except BaseException:  # SystemExit too",
        "except Exception:  # SystemExit too",
        "tests/test_background_thread.py::test_an_error_is_logged_and_retried_with_growing_pauses",
        FLASK,
    ),
    Sabotage(
        "a background thread polls",
        f"{LIFECYCLE}/background.py",
        "            self._condition.wait_for(lambda: self._woken or self._stopping, seconds)\n",
        "            pass\n"
        "        while not (self._woken or self._stopping):\n"
        "            threading.Event().wait(0.2)\n"
        "        with self._condition:\n",
        "tests/test_background_thread.py::test_a_waiting_thread_stops_within_50_ms",
        FLASK,
    ),
    Sabotage(
        "the pause after an error holds the stop",
        f"{LIFECYCLE}/background.py",
        "self._condition.wait_for(lambda: self._stopping, pause)",
        "self._condition.wait_for(lambda: False, 2)",
        "tests/test_background_thread.py::test_a_pause_after_an_error_does_not_hold_the_stop",
        FLASK,
    ),
    Sabotage(
        "queued tasks are dropped at the stop",
        f"{PACKAGE}/tasks.py",
        "while time.monotonic() < give_up and self._work_on_next():",
        "while False:",
        "tests/test_tasks.py::test_what_is_queued_is_finished_at_a_stop",
        FLASK,
    ),
    Sabotage(
        "lost tasks are not told",
        f"{PACKAGE}/tasks.py",
        '"lost": self._queue.queued()',
        '"lost": 0',
        "tests/test_tasks.py::test_what_cannot_be_finished_in_time_is_told_as_lost",
        FLASK,
    ),
]

SIGNALS = [
    Sabotage(
        "Ctrl-C waits for load balancers",
        f"{LIFECYCLE}/supervisor.py",
        "self._urgency = Urgency.DRAIN if signum == signal.SIGTERM else Urgency.NOW",
        "self._urgency = Urgency.DRAIN",
        "tests/test_signals.py::test_ctrl_c_does_not_wait_for_load_balancers",
        FLASK,
    ),
    Sabotage(
        "a burst of signals counts as several",
        f"{LIFECYCLE}/supervisor.py",
        "(burst and signum == self._first_signal)",
        "False",
        "tests/test_signals.py::test_a_burst_of_signals_is_one_stop",
    ),
    Sabotage(
        "a second signal is ignored",
        f"{LIFECYCLE}/supervisor.py",
        "            self._urgency = Urgency.NOW\n",
        "            return\n",
        "tests/test_signals.py::test_a_second_signal_cuts_the_drain_short",
        FASTAPI,
    ),
    Sabotage(
        "Ctrl-C twice forces nothing",
        f"{LIFECYCLE}/supervisor.py",
        "self._urgency = Urgency.FORCE",
        "return",
        "tests/test_signals.py::test_ctrl_c_twice_forces_the_exit",
    ),
    Sabotage(
        "making an application takes over the signals",
        f"{PACKAGE}/app.py",
        "    return app",
        "    lifecycle.start()\n    return app",
        "tests/test_lifecycle.py::test_making_an_application_has_no_side_effect",
    ),
    Sabotage(
        "the reloader kills the server instead of stopping it",
        f"{PACKAGE}/reload.py",
        "child.send_signal(signal.SIGTERM if signum == signal.SIGHUP else signum)",
        "child.kill()",
        "tests/test_reload.py::test_a_change_stops_the_old_server_clean_and_starts_a_new_one",
    ),
    Sabotage(
        "a change kills the server instead of stopping it",
        f"{PACKAGE}/reload.py",
        "child.terminate()",
        "child.kill()",
        "tests/test_reload.py::test_a_change_stops_the_old_server_clean_and_starts_a_new_one",
    ),
    Sabotage(
        "workers do not notice that their master was killed",
        f"{PACKAGE}/serving.py",
        "ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)",
        "pass",
        "tests/test_workers.py::test_workers_stop_clean_when_their_master_is_killed",
        FASTAPI,
    ),
]

ENDPOINT = [
    Sabotage(
        "the beginning of the token is enough",
        f"{PACKAGE}/web/shutdown.py",
        "hmac.compare_digest(given, expected)",
        "(given and given == expected[: len(given)])",
        "tests/test_shutdown_endpoint.py::test_it_refuses_callers_without_the_token",
        FASTAPI,
    ),
    Sabotage(
        "the beginning of the token is enough",
        f"{PACKAGE}/web/shutdown.py",
        'hmac.compare_digest((credentials.token or "").encode(), expected)',
        'expected.startswith((credentials.token or "no").encode())',
        "tests/test_shutdown_endpoint.py::test_it_refuses_callers_without_the_token",
        FLASK,
    ),
    Sabotage(
        "any token will do",
        f"{PACKAGE}/web/shutdown.py",
        "if not hmac.compare_digest(given, expected):",
        "if credentials is None:",
        "tests/test_shutdown_endpoint.py::test_it_refuses_callers_without_the_token",
        FASTAPI,
    ),
    Sabotage(
        "any token will do",
        f"{PACKAGE}/web/shutdown.py",
        "if not authorized():",
        "if request.authorization is None:",
        "tests/test_shutdown_endpoint.py::test_it_refuses_callers_without_the_token",
        FLASK,
    ),
    Sabotage(
        "401 does not say what is wanted",
        f"{PACKAGE}/web/shutdown.py",
        ', {"WWW-Authenticate": "Bearer"})',
        ")",
        "tests/test_shutdown_endpoint.py::test_it_refuses_callers_without_the_token",
        FASTAPI,
    ),
    Sabotage(
        "401 does not say what is wanted",
        f"{PACKAGE}/web/shutdown.py",
        '            response.headers["WWW-Authenticate"] = "Bearer"\n',
        "",
        "tests/test_shutdown_endpoint.py::test_it_refuses_callers_without_the_token",
        FLASK,
    ),
    Sabotage(
        "a short token is taken",
        f"{PACKAGE}/settings.py",
        "len(token.get_secret_value()) < 32",
        "len(token.get_secret_value()) < 8",
        "tests/test_shutdown_endpoint.py::test_a_short_token_is_refused",
        FLASK,
    ),
    Sabotage(
        "a token that is too short is printed",
        f"{PACKAGE}/settings.py",
        'message = problem["msg"].removeprefix("Value error, ")',
        "message = problem",
        "tests/test_shutdown_endpoint.py::test_a_short_token_is_refused",
        FLASK,
    ),
    Sabotage(
        "calling twice stops twice",
        f"{LIFECYCLE}/supervisor.py",
        "if self._requested_by is not None or self.draining:",
        "if False:",
        "tests/test_shutdown_endpoint.py::test_asked_twice_it_answers_twice_and_stops_once",
        FLASK,
    ),
]

BUDGET = [
    Sabotage(
        "a budget that does not fit is taken",
        f"{LIFECYCLE}/budget.py",
        "        budget._check()\n",
        "",
        "tests/test_settings.py::test_phases_that_do_not_fit_are_added_up",
        FLASK,
    ),
    Sabotage(
        "the budget's sum leaves the margin out",
        f"{LIFECYCLE}/budget.py",
        "total = sum(phases.values())",
        "total = sum(phases.values()) - self.margin",
        "tests/test_budget.py::test_phases_that_do_not_fit_are_refused_with_the_sum_spelled_out",
        FLASK,
    ),
    Sabotage(
        "the master's deadline does not derive from the budget",
        "gunicorn.conf.py",
        "graceful_timeout = settings.budget.kill_after",
        "graceful_timeout = 6",
        "tests/test_workers.py::test_a_worker_that_the_master_has_to_kill_shows_in_the_exit_code",
    ),
    Sabotage(
        "a wrong setting ends in a traceback",
        f"{PACKAGE}/settings.py",
        "raise SystemExit(3) from None",
        "raise",
        "tests/test_settings.py::test_no_server_starts_with_a_wrong_one",
    ),
]

END = [
    Sabotage(
        "the exit code is 0 whatever happens",
        f"{LIFECYCLE}/report.py",
        "return 1 if self.problems else 0",
        "return 0",
        "tests/test_faults.py::test_hooks_that_fail_or_hang_do_not_keep_others_from_running",
    ),
    Sabotage(
        "the master exits with 0 whatever happens",
        f"{PACKAGE}/serving.py",
        "        sys.exit(1)",
        "        return",
        "tests/test_faults.py::test_hooks_that_fail_or_hang_do_not_keep_others_from_running",
    ),
    Sabotage(
        "a killed worker does not show in the exit code",
        f"{PACKAGE}/serving.py",
        "_unclean.append(worker.pid)",
        "pass",
        "tests/test_workers.py::test_a_worker_that_was_killed_shows_in_the_exit_code",
    ),
    Sabotage(
        "a worker that the master kills does not show in the exit code",
        f"{PACKAGE}/serving.py",
        "sorted([*_unclean, *server.WORKERS])",
        "sorted(_unclean)",
        "tests/test_workers.py::test_a_worker_that_the_master_has_to_kill_shows_in_the_exit_code",
    ),
    Sabotage(
        "abandoned requests are no problem",
        f"{LIFECYCLE}/report.py",
        "if self.requests_abandoned:",
        "if False:",
        "tests/test_lifecycle.py::test_a_request_is_abandoned_at_its_deadline",
        FLASK,
    ),
    Sabotage(
        "the report is not logged",
        f"{LIFECYCLE}/supervisor.py",
        "            self._log(report)\n",
        "",
        "tests/test_lifecycle.py::test_its_report_is_one_line_of_the_log",
        FLASK,
    ),
    Sabotage(
        "the report is logged twice",
        f"{LIFECYCLE}/supervisor.py",
        "            self._log(report)\n",
        "            self._log(report)\n            self._log(report)\n",
        "tests/test_lifecycle.py::test_its_report_is_one_line_of_the_log",
        FLASK,
    ),
    Sabotage(
        "exit handlers do not run when a worker has stopped",
        f"{PACKAGE}/worker.py",
        "        signal.signal(signal.SIGINT, self.handle_exit)\n",
        "",
        "tests/test_servers.py::test_exit_handlers_run_once_and_last_registered_first",
        FASTAPI,
    ),
    Sabotage(
        "exit handlers do not run when the exit is forced",
        f"{LIFECYCLE}/report.py",
        "    handlers.start()\n    handlers.join(seconds)\n",
        "",
        "tests/test_report.py::test_a_process_ends_with_its_exit_handlers_run_and_its_output_flushed",
        FLASK,
    ),
    Sabotage(
        "the last output is lost when the exit is forced",
        f"{LIFECYCLE}/report.py",
        "            stream.flush()",
        "            pass",
        "tests/test_report.py::test_a_process_ends_with_its_exit_handlers_run_and_its_output_flushed",
        FLASK,
    ),
]

SABOTAGES = [
    *DRAIN,
    *REQUESTS,
    *WEBSOCKETS,
    *HOOKS,
    *BACKGROUND,
    *SIGNALS,
    *ENDPOINT,
    *BUDGET,
    *END,
]
