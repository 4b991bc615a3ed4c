"""`python -m crossbook.recorder [--rebuild]`: parse settings, build the parts, run until a
signal."""

import argparse
import signal
import sys
from contextlib import ExitStack
from typing import Any

import zmq
from sqlalchemy.exc import DBAPIError

from crossbook.common.errors import ConfigError, StreamError
from crossbook.common.process import sockets
from crossbook.common.process.clock import SystemClock, follower_clock
from crossbook.common.process.config import Settings
from crossbook.common.process.keyring import Keyring
from crossbook.common.process.log import logger
from crossbook.common.process.notify import notify_ready
from crossbook.common.process.startup import exit_on_config_error, started
from crossbook.common.process.waking import StopSignals
from crossbook.common.process.zap import handle_peers
from crossbook.recorder.database import SQLITE, claim_database, described, open_database, reason_of
from crossbook.recorder.metrics import RecorderMetrics
from crossbook.recorder.questions import HistoryReader
from crossbook.recorder.replica import RecordBrokenError
from crossbook.recorder.retention import Retention
from crossbook.recorder.service import AnswerService, RecorderService
from crossbook.recorder.store import Store


def build(
    settings: Settings,
    context: Any,
    keyring: Keyring | None,
    stack: ExitStack,
    *,
    rebuild: bool,
) -> tuple[RecorderService, AnswerService]:
    """Build the recorder, whose database `stack` closes; raises `ConfigError`.

    A SQLite file that cannot be opened is a wrong setting; a server may still be starting.
    """
    clock = follower_clock(settings.clock)
    instruments = settings.own_instruments()
    ids = [instrument.id for instrument in instruments]
    engine = open_database(settings.database(), durable=settings.is_durable)
    store = Store(engine)
    if settings.faults == "on":
        # Imported here: without FAULTS=on nothing of the rules is loaded.
        from crossbook.common.process.fault_server import serve_faults

        server = serve_faults(context, settings.data_dir, "recorder", settings.shard)
        stack.callback(server.stop)
    claim = claim_database(engine)
    if claim is not None:
        stack.callback(claim.close)
    stack.callback(engine.dispose)
    try:
        store.open(rebuild=rebuild)
    except DBAPIError as error:
        if engine.dialect.name == SQLITE or rebuild:
            text = f"DATABASE_URL: {described(engine)}: {reason_of(error)}"
            raise ConfigError(text) from error
        logger().warning("database_not_there", reason=reason_of(error))
    recorder = RecorderService(
        store,
        Retention(engine, ids, settings.history_days, is_manual=clock.is_manual),
        instruments,
        sockets.events_sub(context, settings.matcher_events, keyring),
        sockets.matcher_queries_dealer(context, settings.matcher_sync, keyring),
        clock,
    )
    questions = sockets.history_router(context, settings.recorder_history, keyring)
    answers = AnswerService(HistoryReader(engine), recorder, questions, clock)
    answers.metrics = RecorderMetrics(recorder, answers).text
    logger().info(
        "recorder_ready",
        database=described(engine),
        history=settings.recorder_history,
        history_days=settings.history_days,
        emptied=rebuild,
    )
    return recorder, answers


def main() -> None:
    """Run the recorder; exits 0 after a signal, 2 on a wrong setting or a record that cannot be
    continued."""
    parser = argparse.ArgumentParser(
        prog="python -m crossbook.recorder",
        description="Follow the matcher into the database of DATABASE_URL, and answer questions.",
    )
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="empty the recorder's tables first and read the journal again from its beginning",
    )
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Until the service can be stopped.
        signal.signal(number, lambda *_: sys.exit(0))
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    stack = ExitStack()
    status = 0
    peers = None
    try:
        settings = started("recorder")
        keyring = settings.keyring()
        # Before any socket with keys: without a handler ZeroMQ admits nobody there.
        peers = handle_peers(context, keyring, SystemClock())
        recorder, answers = build(settings, context, keyring, stack, rebuild=arguments.rebuild)
        signals = StopSignals(recorder.stop)
        # A short switch interval: the answering thread shall not wait long for the writing one.
        sys.setswitchinterval(0.001)
        answers.start()
        notify_ready()
        try:
            recorder.run(signals.descriptor)
        finally:
            signals.close()
            answers.stop()
            answers.join()
        logger().info("recorder_stopped", seq=recorder.seq)
    except ConfigError as error:
        exit_on_config_error(error, "recorder")
    except (RecordBrokenError, StreamError) as error:
        logger().error("record_broken", reason=str(error))
        status = 2
    stack.close()
    if peers is not None:
        peers.stop()
    context.destroy()
    sys.exit(status)


if __name__ == "__main__":
    main()
