"""Measurements of Crossbook. Run from a clone of the repository.

    python -m bench core        the engine alone, messages/s per scenario, beside its peers
    python -m bench work        the engine's work for a message, counted
    python -m bench longest     the longest batches of the engine, with and without limits
    python -m bench journal     the journal alone, beside bare writes of the same bytes
    python -m bench latency     the three processes under load, latency percentiles
    python -m bench pipeline    the three processes beside a null pipeline, as ratios
    python -m bench shards      the same load on one matcher and on two, with processor times
    python -m bench recovery    starts from a journal and a snapshot, and taking one
    python -m bench recorder    events into the database, and catching up from a journal
    python -m bench start       from the start of an exchange to its first accepted order
    python -m bench fresh       a test's wait for an exchange with nothing in it
    python -m bench stalled     other clients' latency while one subscriber and one client stall
    python -m bench fairness    other clients' latency beside one that takes all it can get
    python -m bench idle        orders beside thousands of sessions that do nothing
    python -m bench http        orders over HTTP, past the framework and through it
    python -m bench growth      cost against the size of the market, as a table and a PNG
    python -m bench facts       the simulated market beside a recorded one, as a table and a PNG
    python -m bench learning    steps a second of the learning environments
    python -m bench all         all of them

Every command prints its method and machine; --json stores the report. See bench/README.md.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

from crossbook.matcher.build import use_build

if __name__ == "__main__":
    # What is imported below brings the engine.
    use_build()

import typer

from bench import core as core_bench
from bench import facts as facts_bench
from bench import fairness as fairness_bench
from bench import fresh as fresh_bench
from bench import growth as growth_bench
from bench import http as http_bench
from bench import idle as idle_bench
from bench import journal as journal_bench
from bench import latency as latency_bench
from bench import learning as learning_bench
from bench import machine, workload
from bench import pipeline as pipeline_bench
from bench import recorder as recorder_bench
from bench import recovery as recovery_bench
from bench import shards as shards_bench
from bench import stalled as stalled_bench
from bench import start as start_bench
from bench import websocket as websocket_bench
from bench import work as work_bench
from bench.latency import Sync, Transport
from bench.load import LoadPlan
from bench.longest import longest
from crossbook.common.process.scheduling import Scheduling

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command()(idle_bench.idle)
app.command()(longest)

Json = Annotated[Path | None, typer.Option(help="Write the whole report to this JSON file.")]
Null = Annotated[Path, typer.Option("--null", help="The null pipeline to compare with.")]
Between = Annotated[Transport, typer.Option(help="Transport between our processes.")]
Synced = Annotated[Sync, typer.Option(help="When the journal is synced.")]
Scenario = Annotated[str, typer.Option(help=f"One of {', '.join(core_bench.SCENARIOS)}, or all.")]

RESULTS = Path(__file__).resolve().parent / "results"


@app.callback(invoke_without_command=True)
def overview(context: typer.Context) -> None:
    """Print the list of measurements."""
    if context.invoked_subcommand is None:
        print(__doc__)
    else:
        context.with_resource(machine.precedence())


@app.command()
def core(
    messages: Annotated[
        int, typer.Option(min=1_000, help="About how many, per scenario.")
    ] = 200_000,
    scenario: Scenario = "all",
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    seed: int = workload.DEFAULT_SEED,
    gc: Annotated[bool, typer.Option("--gc", help="Leave the garbage collector on.")] = False,
    client_order_ids: Annotated[
        bool, typer.Option("--client-order-ids", help="Give every order a client order id.")
    ] = False,
    peers: Annotated[bool, typer.Option(help="Run installed peers too.")] = True,
    builds: Annotated[
        bool, typer.Option(help="Run the other build of the engine too, if there is one.")
    ] = True,
    json: Json = None,
) -> None:
    """Messages per second of the engine alone, in process."""
    if scenario != "all" and scenario not in core_bench.SCENARIOS:
        raise typer.BadParameter(f"no scenario {scenario!r}", param_hint="--scenario")
    names = core_bench.SCENARIOS if scenario == "all" else (scenario,)
    plan = core_bench.CorePlan(messages, repeats, seed, gc, client_order_ids, peers, builds)
    report = core_bench.run(names, plan)
    core_bench.show(report)
    if any(version.startswith("not ") for version in report.peers.values()):
        print("peers are optional: `make bench-core` installs those that can be had")
    _write(json, report)


@app.command()
def work(
    accept: Annotated[
        bool, typer.Option("--accept", help="Accept the counts of this run for this Python.")
    ] = False,
    instructions: Annotated[bool, typer.Option(help="Count them too, by valgrind.")] = True,
    json: Json = None,
) -> None:
    """The engine's work for a message, counted; status 1 where it grew."""
    if reason := work_bench.obstacle():
        print(reason)
        raise typer.Exit(1)
    now = work_bench.measure(instructions)
    accepted = work_bench.read().get(work_bench.version())
    work_bench.show(now, accepted)
    _write(json, now)
    if accept:
        work_bench.accept(now)
        print(f"accepted in {work_bench.FILE}")
    elif accepted is None:
        print(work_bench.absence())
    elif found := work_bench.grown(now, accepted):
        print(work_bench.report(found))
        raise typer.Exit(1)


@app.command()
def journal(
    directory: Annotated[
        Path | None, typer.Option(help="Measure in a temporary folder under this one.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.01, help="Of each turn.")] = 2.0,
    repeats: Annotated[int, typer.Option(min=1, help="Turns of each.")] = 3,
    json: Json = None,
) -> None:
    """Appends to the journal, for each sync policy, beside bare writes."""
    report = journal_bench.run(directory, seconds=seconds, repeats=repeats)
    journal_bench.show(report)
    _write(json, report)


@app.command()
def latency(
    rate: Annotated[float, typer.Option(min=1, help="Orders per second, open loop.")] = 5_000,
    duration: Annotated[float, typer.Option(min=0.1, help="Seconds.")] = 5.0,
    clients: Annotated[int, typer.Option(min=1, max=1_000)] = 10,
    batch: Annotated[int, typer.Option(min=1, max=1_024, help="Orders per frame.")] = 1,
    closed: Annotated[bool, typer.Option("--closed", help="Closed loop: no rate.")] = False,
    window: Annotated[int, typer.Option(min=1, help="Unanswered orders, closed loop.")] = 4_096,
    chunk: Annotated[int, typer.Option(min=1, max=1_024, help="As --batch, closed loop.")] = 32,
    warm: Annotated[float, typer.Option(min=0, help="Seconds not counted at the start.")] = 1.0,
    instruments: Annotated[int, typer.Option(min=1)] = 4,
    seed: int = 1,
    transport: Between = "ipc",
    sync: Synced = "batch",
    connect: Annotated[
        bool, typer.Option("--connect", help="Load the running exchange of the settings.")
    ] = False,
    json: Json = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the curves to this PNG file.")] = None,
) -> None:
    """Latency of orders through gateway, matcher and publisher."""
    load = LoadPlan(
        rate, duration, clients, batch, closed, window, chunk, warm, instruments, seed
    )  # fmt: skip
    own = latency_bench.own_exchange(transport, sync)
    with latency_bench.running_exchange() if connect else own as exchange:
        report, round_trip_ns, bbo_ns = latency_bench.run(load, exchange)
    latency_bench.show(report)
    _write(json, report)
    if plot is not None:
        latency_bench.plot(plot, report, round_trip_ns, bbo_ns)
        print(f"wrote {plot}")


@app.command()
def pipeline(
    quick: Annotated[
        bool, typer.Option("--quick", help="A few loads, one short run each.")
    ] = False,
    repeats: Annotated[int, typer.Option(min=0, help="Pairs of runs; 0: 1 if quick, 3.")] = 0,
    only: Annotated[str, typer.Option(help="Only loads whose name contains this.")] = "",
    null: Null = pipeline_bench.NULL_PIPELINE,
    transport: Between = "ipc",
    plots: Annotated[Path, typer.Option(help="Where to draw the latency curves.")] = RESULTS,
    json: Json = None,
) -> None:
    """The processes and the null pipeline, alternately, as ratios."""
    found = null if null.is_file() else None
    if found is None:
        print(f"pipeline: ours only, there is no null pipeline at {null} (give one with --null)")
    chosen = [each for each in pipeline_bench.trials(quick=quick) if only in each.name]
    if not chosen:
        raise typer.BadParameter(f"no load has {only!r} in its name", param_hint="--only")
    repeats = repeats or (1 if quick else 3)
    report = pipeline_bench.run(found, chosen, transport=transport, repeats=repeats)
    pipeline_bench.show(report)
    for picture in pipeline_bench.plot(plots, report):
        print(f"wrote {picture}")
    _write(json, report)


@app.command()
def shards(
    quick: Annotated[bool, typer.Option("--quick", help="One short run of each.")] = False,
    up_to: Annotated[int, typer.Option(min=1, max=4, help="Most shards.")] = 2,
    duration: Annotated[float, typer.Option(min=0.1, help="Seconds of each run.")] = 4.0,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    chunk: Annotated[int, typer.Option(min=1, max=1_024, help="Orders per frame.")] = 32,
    sync: Synced = "batch",
    json: Json = None,
) -> None:
    """The same load on one matcher and on two, in turn, with every process's processor time."""
    seconds = 1.5 if quick else duration
    load = LoadPlan(closed=True, chunk=chunk, duration_s=seconds, warm_s=0.5)
    counts = tuple(range(1, up_to + 1))
    report = shards_bench.run(load, counts, repeats=1 if quick else repeats, sync=sync)
    shards_bench.show(report)
    _write(json, report)


@app.command()
def recovery(
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the sizes.")] = False,
    tail: Annotated[int, typer.Option(min=1_000, help="Commands in the journal.")] = 1_000_000,
    open_orders: Annotated[
        int, typer.Option(min=1_000, help="Open orders in the snapshot.")
    ] = 1_000_000,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    json: Json = None,
) -> None:
    """Starts from a journal and from a snapshot, and the pause of taking one."""
    part = 10 if quick else 1
    report = recovery_bench.run(tail=tail // part, open_orders=open_orders // part, repeats=repeats)
    recovery_bench.show(report)
    _write(json, report)


@app.command()
def recorder(
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the orders, once.")] = False,
    orders: Annotated[int, typer.Option(min=1_000, help="Orders in each flow.")] = 200_000,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    url: Annotated[
        str, typer.Option(help="Another database; the recorder's tables in it are emptied.")
    ] = "",
    json: Json = None,
) -> None:
    """Events into the recorder's database, and catching up from a journal."""
    part = 10 if quick else 1
    report = recorder_bench.run(
        orders=max(1_000, orders // part), repeats=1 if quick else repeats, url=url
    )
    recorder_bench.show(report)
    _write(json, report)


@app.command()
def fresh(
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the exchanges.")] = False,
    exchanges: Annotated[int, typer.Option(min=1, help="One after another.")] = 100,
    turns: Annotated[int, typer.Option(min=1, help="Of each other way.")] = 30,
    json: Json = None,
) -> None:
    """A test's wait for an exchange with nothing in it."""
    part = 10 if quick else 1
    report = fresh_bench.run(
        exchanges=max(1, exchanges // part), turns=max(1, turns // part), lasting_s=(0.0, 0.2, 0.5)
    )
    fresh_bench.show(report)
    _write(json, report)


@app.command()
def start(
    repeats: Annotated[int, typer.Option(min=1, help="Starts of each way.")] = 10,
    busy: Annotated[int, typer.Option(min=0, max=64, help="Processes that compute meanwhile.")] = 0,
    before: Annotated[
        str, typer.Option(metavar="COMMIT", help="The earlier source to compare with.")
    ] = start_bench.BEFORE,
    json: Json = None,
) -> None:
    """From the start of an exchange to its first accepted order, beside an earlier source."""
    report = start_bench.run(repeats=repeats, busy=busy, before=before)
    start_bench.show(report)
    _write(json, report)


@app.command()
def stalled(
    quick: Annotated[bool, typer.Option("--quick", help="Four short turns each way.")] = False,
    rate: Annotated[float, typer.Option(min=1, help="Orders per second, open loop.")] = 1_000,
    subscribers: Annotated[int, typer.Option(min=2, max=1_000)] = 100,
    turns: Annotated[int, typer.Option(min=0, help="Turns each way; 0: 4 if quick, 12.")] = 0,
    json: Json = None,
) -> None:
    """One subscriber and one order-entry client stall; the latency of the others."""
    plan = stalled_bench.StalledPlan(
        rate=rate,
        subscribers=subscribers,
        turns=turns or (4 if quick else 12),
        window_s=1.0 if quick else 2.0,
        long_s=13.0 if quick else 20.0,
    )
    report = stalled_bench.run(plan)
    stalled_bench.show(report)
    _write(json, report)


@app.command()
def fairness(
    flood: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(fairness_bench.FLOODS)}; or all.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Two short turns each way.")] = False,
    rate: Annotated[float, typer.Option(min=1, help="Orders per second of the others.")] = 400,
    setting: Annotated[
        list[str] | None, typer.Option(help="Of the exchange, as SETTING=VALUE; several times.")
    ] = None,
    json: Json = None,
) -> None:
    """One client takes all it can get; the latency of the others."""
    floods = tuple(flood or fairness_bench.FLOODS)
    if unknown := set(floods) - set(fairness_bench.FLOODS):
        raise typer.BadParameter(f"no flood {min(unknown)!r}", param_hint="--flood")
    try:
        settings = fairness_bench.known_settings(setting or ())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--setting") from error
    plan = fairness_bench.FairnessPlan(
        floods, rate, turns=2 if quick else 4, window_s=1.5 if quick else 2.0, settings=settings
    )
    report = fairness_bench.run(plan)
    fairness_bench.show(report)
    _write(json, report)


@app.command()
def http(
    quick: Annotated[bool, typer.Option("--quick", help="One short turn of each.")] = False,
    seconds: Annotated[float, typer.Option(min=0.5, help="Of each turn.")] = 4.0,
    json: Json = None,
) -> None:
    """Orders over HTTP, past the framework and through it."""
    report = http_bench.run((1, 64), 1.0 if quick else seconds, 1 if quick else 3)
    http_bench.show(report)
    _write(json, report)


@app.command()
def websocket(
    quick: Annotated[bool, typer.Option("--quick", help="A small crowd, short.")] = False,
    clients: Annotated[int, typer.Option(min=1, max=20_000)] = 5_000,
    rate: Annotated[float, typer.Option(min=1, help="Orders per second.")] = 1_000.0,
    seconds: Annotated[float, typer.Option(min=0.5, help="Of each turn.")] = 10.0,
    scheduling: Annotated[
        Scheduling | None,
        typer.Option(help="Of the exchange; if not given, realtime where that is allowed."),
    ] = None,
    json: Json = None,
) -> None:
    """Market data to many WebSocket clients, and order entry meanwhile."""
    warm_s = websocket_bench.WebSocketPlan().warm_s
    if quick:
        clients, seconds = min(clients, 500), min(seconds, 3.0)
        warm_s = min(1.0, seconds / 2)
    if scheduling is None:
        scheduling = "realtime" if machine.allows_realtime() else "batch"
    plan = websocket_bench.WebSocketPlan(clients, rate, seconds, warm_s, scheduling)
    report = websocket_bench.run(plan)
    websocket_bench.show(report)
    _write(json, report)


@app.command()
def growth(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer and smaller sizes.")] = False,
    json: Json = None,
    plot: Annotated[Path, typer.Option(help="The PNG to draw.")] = RESULTS / "growth.png",
) -> None:
    """Cost against size: open orders, levels, instruments, accounts, subscribers, journal."""
    report = growth_bench.run(growth_bench.QUICK if quick else growth_bench.FULL)
    growth_bench.show(report)
    from bench import growth_plot

    growth_plot.draw(plot, machine.line(report.machine), report.series)
    print(f"wrote {plot}")
    _write(json, report)


@app.command()
def facts(
    seed: int = 1,
    minutes: Annotated[float, typer.Option(min=0.1, max=1_000, help="Simulated.")] = 10.0,
    recording: Annotated[
        Path, typer.Option(help="STEM.cmd.csv.gz of BTC-USD to compare with.")
    ] = facts_bench.RECORDING,
    json: Json = None,
    plot: Annotated[Path, typer.Option(help="The PNG to draw.")] = RESULTS / "facts.png",
) -> None:
    """Stylised facts of the simulated market beside a recorded one."""
    found = recording if recording.is_file() else None
    if found is None:
        print(f"facts: the simulation only, there is no recording at {recording}")
    report = facts_bench.run(seed, minutes, found, plot)
    facts_bench.show(report)
    print(f"wrote {plot}")
    _write(json, report)


@app.command()
def learning(
    steps: Annotated[int, typer.Option(min=10, max=100_000, help="Of an episode.")] = 500,
    repeats: Annotated[int, typer.Option(min=1, max=100)] = 3,
    json: Json = None,
) -> None:
    """Steps a second of the learning environments, and of the simulated market alone."""
    report = learning_bench.run(steps, repeats)
    learning_bench.show(report)
    _write(json, report)


@app.command(name="all")
def everything(
    quick: Annotated[
        bool, typer.Option("--quick", help="Six minutes instead of half an hour.")
    ] = False,
    null: Null = pipeline_bench.NULL_PIPELINE,
    results: Annotated[Path, typer.Option(help="Folder for JSON reports and pictures.")] = RESULTS,
) -> None:
    """Every one of them, one after the other."""
    messages = 60_000 if quick else 2_000_000
    report = core_bench.run(core_bench.SCENARIOS, core_bench.CorePlan(messages))
    core_bench.show(report)
    _write(results / "core.json", report)
    print()
    if not work_bench.obstacle():
        counted = work_bench.measure(with_instructions=True)
        work_bench.show(counted, work_bench.read().get(work_bench.version()))
        _write(results / "work.json", counted)
        print()
    journal(
        seconds=0.2 if quick else 2.0,
        repeats=1 if quick else 3,
        json=results / "journal.json",
    )
    print()
    seconds, warm = (3.0, 0.5) if quick else (10.0, 1.0)
    for closed in (False, True):
        name = "latency-closed" if closed else "latency-open"
        latency(
            duration=seconds,
            warm=warm,
            closed=closed,
            json=results / f"{name}.json",
            plot=results / f"{name}.png",
        )
        print()
    pipeline(quick=quick, null=null, plots=results, json=results / "pipeline.json")
    print()
    shards(quick=quick, json=results / "shards.json")
    print()
    recovery(quick=quick, json=results / "recovery.json")
    print()
    http(quick=quick, json=results / "http.json")
    facts(json=results / "facts.json", plot=results / "facts.png")
    print()
    learning(steps=100 if quick else 500, json=results / "learning.json")
    print()
    recorder(quick=quick, json=results / "recorder.json")
    print()
    start(repeats=3 if quick else 10, json=results / "start.json")
    fresh(quick=quick, json=results / "fresh.json")
    print()
    growth(quick=quick, json=results / "growth.json", plot=results / "growth.png")


def _write(path: Path | None, report: Any) -> None:
    if path is not None:
        machine.write_json(path, report)
        print(f"wrote {path}")


if __name__ == "__main__":
    if sys.platform != "linux":
        sys.exit("the measurements need Linux: its epoll, timers, scheduling and /proc")
    sys.exit(app())
