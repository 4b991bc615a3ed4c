"""`python -m crossbook.matcher`: parse settings, build the parts, run until SIGINT or SIGTERM."""

import gc
import signal
import sys
from typing import TYPE_CHECKING, Any

from crossbook.matcher.build import use_build

if __name__ == "__main__":
    # The imports below load the engine.
    use_build()

import zmq

from crossbook.common.errors import ConfigError, CrossbookError
from crossbook.common.process import sockets
from crossbook.common.process.clock import ManualClock, SystemClock
from crossbook.common.process.config import Settings
from crossbook.common.process.keyring import Keyring, Realm, is_covered
from crossbook.common.process.log import logger
from crossbook.common.process.notify import notify_ready
from crossbook.common.process.startup import exit_on_config_error, started
from crossbook.common.process.waking import StopSignals
from crossbook.common.process.zap import ZapHandler, handle_peers
from crossbook.matcher.admin_access import AdminAccess
from crossbook.matcher.engine.timers import DAY_NS
from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.journal.journal import JournalFailed
from crossbook.matcher.metrics import MatcherMetrics
from crossbook.matcher.recovery.recovery import Recovered, recover
from crossbook.matcher.recovery.snapshot_process import SnapshotProcess
from crossbook.matcher.recovery.snapshot_store import SnapshotStore
from crossbook.matcher.recovery.snapshotter import Snapshotter
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from crossbook.matcher.service import Batches, MatcherService
from crossbook.matcher.timekeeper import Timekeeper

if TYPE_CHECKING:
    from crossbook.matcher.faults.assembly import MatcherFaults


def build(
    settings: Settings,
    context: Any,
    disk: FileDisk,
    faults: "MatcherFaults | None" = None,
    keyring: Keyring | None = None,
) -> tuple[MatcherService, ZapHandler | None]:
    """Recover the state and put the matcher together, with the handler of its peers; raises
    `CrossbookError`."""
    clock = SystemClock()
    resend_buffer = EventResendBuffer(settings.event_history_mb * 1024 * 1024)
    recovered = recover(
        disk,
        settings.own_instruments(),
        clock.now_ns(),
        settings.journal_segment_mb * 1024 * 1024,
        # A disk that is not durable syncs nothing; a slow one has to be called all the same.
        settings.journal_sync if faults is None or settings.is_durable else "batch",
        settings.snapshots_kept,
        lambda record: resend_buffer.append(record.first_seq, record.last_seq, record.events),
        settings.rules(),
        settings.shard,
    )
    engine, journal = recovered.engine, recovered.journal
    _log(recovered)
    sequencer = Sequencer(engine, journal, resend_buffer)
    if settings.clock == "manual":
        # A journal that exists goes on at its last time.
        clock = ManualClock(journal.last_time_ns or settings.clock_start_ns())
    timekeeper = _timekeeper(clock, journal.last_time_ns, settings)
    snapshotter = _snapshotter(recovered, disk, settings)
    batches = Batches()
    metrics = MatcherMetrics(
        sequencer, journal, resend_buffer, snapshotter, disk, timekeeper, batches
    )
    metrics.faults = None if faults is None else faults.table
    admin_access = AdminAccess(lambda: engine.keys, timekeeper.now_ns)
    # Before any socket with keys: without a handler ZeroMQ admits nobody there.
    peers = handle_peers(context, keyring, SystemClock(), admin_access.find)
    service = MatcherService(
        sequencer,
        journal,
        snapshotter,
        sockets.commands_pull(context, settings.matcher_commands, keyring),
        sockets.events_pub(context, settings.matcher_events, keyring),
        sockets.matcher_queries_router(context, settings.matcher_sync, keyring),
        sockets.admin_router(context, settings.matcher_admin, keyring),
        clock,
        timekeeper,
        settings.heartbeat_ms,
        batches,
        metrics.text,
        settings.journal_sync_interval_ms if settings.journal_sync == "interval" else 0,
        admin_access if is_covered(keyring, Realm.ADMIN, settings.matcher_admin) else None,
    )
    return service, peers


def _snapshotter(recovered: Recovered, disk: FileDisk, settings: Settings) -> Snapshotter:
    return Snapshotter(
        SnapshotStore(disk, settings.snapshots_kept),
        recovered.journal,
        SnapshotProcess(settings.data_dir),
        settings.snapshot_every,
        settings.journal_keep_segments,
        recovered.snapshot_seq,
    )


def _log(recovered: Recovered) -> None:
    engine, journal = recovered.engine, recovered.journal
    for text in recovered.skipped:
        logger().warning("snapshot_skipped", reason=text)
    if journal.cut_bytes:
        logger().warning("torn_tail_cut", bytes=journal.cut_bytes, seq=journal.last_seq)
    logger().info(
        "state_recovered",
        incarnation=journal.incarnation,
        seq=engine.seq,
        snapshot_seq=recovered.snapshot_seq,
        replayed=recovered.replayed,
    )


def _with_faults(settings: Settings) -> "MatcherFaults":
    # Imported here: without FAULTS=on nothing of the rules is loaded.
    from crossbook.matcher.faults.assembly import MatcherFaults

    return MatcherFaults(settings.data_dir, settings.shard, durable=settings.is_durable)


def _disk_of(settings: Settings) -> FileDisk:
    return FileDisk(settings.data_dir, durable=settings.is_durable)


def _timekeeper(clock: SystemClock, last_ns: int, settings: Settings) -> Timekeeper:
    return Timekeeper(
        clock,
        last_ns,
        settings.clock_jump_max_s * 1_000_000_000,
        settings.clock_absence_max_days * DAY_NS,
    )


def main() -> None:
    """Run the matcher; exits 0 after a signal, 1 when state or disk fail, 2 on a wrong setting."""
    # The engine makes no reference cycles: the collector would only walk its growing state again
    # and again.
    gc.disable()
    chosen = use_build()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Until the service exists, which has a `stop` of its own.
        signal.signal(number, lambda *_: sys.exit(0))
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    faults: MatcherFaults | None = None
    try:
        settings = started("matcher")
        keyring = settings.keyring()
        if settings.faults == "on":
            faults = _with_faults(settings)
            faults.serve(context, settings.matcher_admin, keyring)
        disk = faults.disk if faults is not None else _disk_of(settings)
        if disk.folder_remark:
            logger().warning("data_folder", remark=disk.folder_remark)
        service, peers = build(settings, context, disk, faults, keyring)
        sync_call = disk.sync_call()
    except ConfigError as error:
        exit_on_config_error(error, "matcher")
    except (CrossbookError, OSError) as error:
        logger().error("matcher_not_started", reason=str(error))
        sys.exit(1)
    signals = StopSignals(service.stop)
    gc.collect()
    gc.freeze()
    logger().info(
        "matcher_ready",
        build=chosen.name,
        why_pure=chosen.why_pure or None,
        commands=settings.matcher_commands,
        events=settings.matcher_events,
        queries=settings.matcher_sync,
        admin=settings.matcher_admin,
        accounts=settings.accounts,
        clock=settings.clock,
        data_dir=str(settings.data_dir),
        journal_sync=settings.journal_sync,
        sync_call=sync_call,
    )
    notify_ready()
    status = 0
    try:
        service.run(signals.descriptor)
        logger().info("matcher_stopped")
    except JournalFailed as error:
        logger().error("journal_failed", reason=str(error))
        status = 1
    signals.close()
    if faults is not None:
        faults.stop()
    if peers is not None:
        peers.stop()
    context.destroy()
    disk.close()
    sys.exit(status)


if __name__ == "__main__":
    main()
