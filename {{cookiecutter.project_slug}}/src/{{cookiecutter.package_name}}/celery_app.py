"""Celery's settings, derived from ours, and the one task that it knows."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from amqp.exceptions import AMQPError
from celery import Celery
from celery.exceptions import Reject
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from . import tasks
from .broker_url import ANSWER_SECONDS, REDIS, is_url_of
from .settings import Settings
from .task_records import TaskRecords, create_records
from .tasks import MAX_ATTEMPTS, QueueUnavailableError, Task, retry_pause

logger = logging.getLogger(__name__)

QUEUE = f"{__package__}.tasks"
TASK = f"{__package__}.handle_task"
REQUEST = f"{__package__}.celery_request:Request"  # loaded by workers only

# Publishing may wait for an answer once, and then try twice to connect anew.
CONNECT_SECONDS = ANSWER_SECONDS / 2

# How tasks are sent. The payload is sent as text: Celery's own JSON is richer than JSON, so clients
# could write what it cannot read.
PUBLISHING: dict[str, Any] = {
    "argsrepr": "(...)",  # what Celery logs in place of the payload
    "confirm_timeout": ANSWER_SECONDS,
    "mandatory": True,  # a message that no queue takes is not accepted
}

# How often a worker tries to reach the records again, for about 20 s in all: by then it hands the
# task back, and takes the next one, so this is also the pause between tasks.
WORKER_RETRIES = 25

# What publishing raises.
UNAVAILABLE = (AMQPError, KombuError, OSError, RedisError)


def create_celery(settings: Settings) -> Celery:
    """Make the Celery application, without any connection."""
    celery = Celery(__package__, set_as_current=False)
    celery.conf.update(configuration(settings))
    records = create_records(settings.records_url, WORKER_RETRIES)

    @celery.task(name=TASK, bind=True, shared=False, Request=REQUEST)  # type: ignore[untyped-decorator]  # Celery is not typed
    def work(message: Any, payload: str) -> None:
        task_id: str = message.request.id
        sent: int = message.request.retries + 1

        def send_again(pause: float) -> None:
            message.apply_async(
                (payload,), **PUBLISHING, task_id=task_id, countdown=pause, retries=sent
            )

        try:
            work_on(task_id, sent, json.loads(payload), records, send_again)
        except (QueueUnavailableError, *UNAVAILABLE) as error:
            problem = str(error.__cause__ or error)
            logger.error("task handed back", extra={"task": task_id, "error": problem})
            raise Reject(str(error), requeue=True) from None

    return celery


def work_on(
    task_id: str,
    sent: int,
    payload: Mapping[str, Any],
    records: TaskRecords,
    send_again: Callable[[float], None],
) -> None:
    """Do a task that a message brought, unless an earlier one has; note what becomes of it.

    Args:
        task_id: whose.
        sent: how often it was sent, this time included.
        payload: what it was submitted with.
        records: where to note that.
        send_again: sends the message anew, to be delivered after so many seconds.
    """
    attempt = records.begin(task_id, sent)
    if attempt is None:
        return
    if attempt > MAX_ATTEMPTS:  # the others have not come to the end, or there would be no message
        problem = f"its worker has died in each of {MAX_ATTEMPTS} attempts"
        logger.error("task failed for good", extra={"task": task_id, "error": problem})
        records.finish(task_id, MAX_ATTEMPTS, problem)
        return
    task = Task(task_id, payload, "running", attempt)
    try:
        tasks.handle_task(task)
    except Exception as error:
        problem = tasks.note_failure(task, error)
        pause = retry_pause(attempt)
        if pause is None:
            records.finish(task_id, attempt, problem)
        else:
            records.retry_later(task_id, problem)
            send_again(pause)
    else:
        records.finish(task_id, attempt)


def configuration(settings: Settings) -> dict[str, Any]:
    """Every setting of Celery's that is not its default."""
    redis = is_url_of(REDIS, settings.broker_url)
    transport = _redis_options(settings) if redis else _rabbitmq_options(settings)
    return {
        "broker_url": settings.broker_url.get_secret_value(),
        "broker_connection_timeout": CONNECT_SECONDS,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # a worker waits for its broker as long as it takes
        "broker_pool_limit": 64,  # more than there are threads that submit
        "broker_pool_acquire_timeout": ANSWER_SECONDS,
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0},
        **transport,
        "task_default_queue": QUEUE,
        "accept_content": ["json"],
        "task_ignore_result": True,  # see task_records.py
        # A task is acknowledged when it is finished; before that, it belongs to the broker.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_acks_on_failure_or_timeout": True,
        # Without a connection, the broker gives what is at work to others.
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "worker_prefetch_multiplier": 1,
        "worker_concurrency": settings.worker_concurrency,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        # Its queue is named after the host, and RabbitMQ gives it to one worker only.
        "worker_enable_remote_control": False,
    }


def _redis_options(settings: Settings) -> dict[str, Any]:
    # Longer than any stop, for a worker renews its claims only once more when it stops.
    claim = max(10, settings.budget.grace)
    return {
        "broker_transport": f"{__package__}.redis_transport:Transport",
        "broker_use_ssl": (
            {"ssl_cert_reqs": "required"} if is_url_of(("rediss",), settings.broker_url) else None
        ),
        "worker_disable_prefetch": True,
        "broker_transport_options": {
            "visibility_timeout": claim,
            "unacked_restore_interval": claim / 3,
            "unacked_key": f"{QUEUE}.unacked",
            "unacked_index_key": f"{QUEUE}.unacked_index",
            "socket_connect_timeout": ANSWER_SECONDS,
            "socket_timeout": ANSWER_SECONDS + 1,  # the transport lets Redis wait for 1 s
            "max_retries": 1,
            "interval_start": 0,
        },
    }


def _rabbitmq_options(settings: Settings) -> dict[str, Any]:
    return {
        "broker_transport": f"{__package__}.rabbitmq_transport:Transport",
        "broker_use_ssl": is_url_of(("amqps",), settings.broker_url),
        "broker_transport_options": {
            "confirm_publish": True,
            "max_retries": 1,
            "interval_start": 0,
        },
    }
