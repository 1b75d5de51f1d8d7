"""Celery's Redis transport, without its ways to lose a task.

kombu's own takes a message out of the queue, and notes only then that it is at work: a worker
that is killed between the two loses it. Here both are one step. And each worker renews its claim on
what it holds: so the tasks of a killed one come back soon, however long those of others take.
"""

from __future__ import annotations

import time
from typing import Any

from kombu.transport import redis, virtual
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads

# Moves the oldest message of the first queue that has any to those that are being worked on.
# KEYS: the index of those by time, their contents, the queues.
TAKE = """
for i = 3, #KEYS do
    local message = redis.call('LINDEX', KEYS[i], -1)
    if message then
        local properties = cjson.decode(message)['properties']
        local tag, info = properties['delivery_tag'], properties['delivery_info']
        local route = cjson.encode(info['exchange']) .. ',' .. cjson.encode(info['routing_key'])
        redis.call('ZADD', KEYS[1], redis.call('TIME')[1], tag)
        redis.call('HSET', KEYS[2], tag, '[' .. message .. ',' .. route .. ']')
        redis.call('RPOP', KEYS[i])
        return {KEYS[i], message}
    end
end
"""


class QoS(redis.QoS):  # type: ignore[misc]  # kombu is not typed
    """Knows which messages this worker holds. Times are the server's: clocks may differ."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Remember a message; ``TAKE`` has noted it in Redis already."""
        virtual.QoS.append(self, message, delivery_tag)

    def restore_visible(self, *_: object, **__: object) -> None:
        """Renew the claims on what we hold, and put back what nobody has renewed for too long.

        kombu calls this every ``unacked_restore_interval`` seconds.
        """
        self._flush()
        with self.channel.conn_or_acquire() as client:
            now = client.time()[0]
            if held := dict.fromkeys(self._delivered, now):
                client.zadd(self.unacked_index_key, held, xx=True)
            overdue = now - self.visibility_timeout
            for tag in client.zrange(self.unacked_index_key, 0, overdue, byscore=True):
                self.restore_by_tag(tag, client)


class Channel(redis.Channel):  # type: ignore[misc]
    """Waits for a message without taking it, and then takes it in one step."""

    QoS = QoS

    def _basic_cancel(self, consumer_tag: str) -> Any:
        """Take no more; and renew the claims, for kombu will not during the rest of the stop."""
        self.qos.restore_visible()
        return super()._basic_cancel(consumer_tag)

    def _brpop_start(self, timeout: float | None = None) -> None:
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues:
            return
        keys = [self._q_for_pri(queue, step) for step in self.priority_steps for queue in queues]
        seconds = timeout or self.brpop_timeout
        # Moving the last message to where it is changes nothing, but waits until there is one.
        # Only in the first queue: messages in others are seen when this wait ends.
        wait = ("BLMOVE", keys[0], keys[0], "RIGHT", "RIGHT", seconds)
        index = (self.unacked_index_key, self.unacked_key)
        take = ("EVAL", TAKE, len(keys) + len(index), *index, *keys)
        connection = self._in_poll = self.client.connection
        self._brpop_sent_at = time.monotonic()
        connection.send_packed_command(connection.pack_commands([wait, take]))

    def _brpop_read(self, **_: object) -> bool:
        connection = self.client.connection
        try:
            try:
                self.client.parse_response(connection, "BLMOVE")
                taken = self.client.parse_response(connection, "EVAL")
            except Exception:
                connection.disconnect()  # the other answer must not be taken for a later one
                raise
            if not taken:
                raise redis.Empty
            key, message = map(bytes_to_str, taken)
            queue = key.rsplit(self.sep, 1)[0]
            self._queue_cycle.rotate(queue)
            self.connection._deliver(loads(message), queue)
            return True
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()


class Transport(redis.Transport):  # type: ignore[misc]
    """What ``broker_transport`` names."""

    Channel = Channel
