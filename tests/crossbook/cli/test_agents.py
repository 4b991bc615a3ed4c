"""Agents of a user, from the command line and from files: those that are loaded, and every
refusal."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossbook.cli.agents import agent_choice, kind_values, read_agents_file
from crossbook.cli.main import app
from crossbook.common.errors import ConfigError
from crossbook.simulator.makers import MarketMaker
from crossbook.simulator.population import AgentChoice
from crossbook.simulator.traders import NoiseTrader

QUOTER = '''\
"""A module of a user."""

from typing import Annotated

from msgspec import Meta

from crossbook.simulator.agent import Agent


class Quoter(Agent):
    """Quotes one bid
    and one ask.

    The rest is not printed.
    """

    half_spread_bps: Annotated[float, Meta(gt=0, le=100, description="Half the spread.")] = 5.0
'''


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder. Modules imported from it are removed afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def module(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.py").write_text(text)


def test_a_class_of_the_current_folder_is_loaded_with_its_parameters(folder: Path) -> None:
    module(folder, "own_quoter", QUOTER)
    choice = agent_choice("own_quoter:Quoter:half_spread_bps=7, limit_quote=1e4")
    assert choice.agent.__name__ == "Quoter"
    assert choice.agent.kind == "quoter"
    assert choice.parameters == {"half_spread_bps": "7", "limit_quote": "1e4"}
    assert (choice.name, choice.count) == ("", 1)


def test_a_class_of_an_installed_package_and_a_built_in_kind_are_loaded() -> None:
    assert agent_choice("crossbook.simulator.makers:MarketMaker") == AgentChoice(MarketMaker)
    assert agent_choice("noise") == AgentChoice(NoiseTrader)
    assert agent_choice("maker:levels=2") == AgentChoice(MarketMaker, {"levels": "2"})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("quoter", "agent 'quoter' is no built-in kind (maker, noise, momentum, reverter), and no "
         "MODULE:CLASS such as quoter:Quoter for class Quoter in quoter.py of the current folder"),
        ("bots/own.py:Quoter", "such as own:Quoter for class Quoter in own.py of the current"),
        ("absent:Quoter", "agent absent:Quoter: there is no module absent in "),
        ("own_quoter:Quote", "agent own_quoter:Quote: module own_quoter has no such class; there "
         "are: Quoter"),
        ("own_quoter:Agent", "agent own_quoter:Agent is no class derived from "
         "crossbook.simulator.agent.Agent"),
        ("json:loads", "agent json:loads is no class derived from"),
        ("own_quoter:Quoter:fast", "agent own_quoter:Quoter: 'fast' is not PARAMETER=VALUE"),
        ("own_quoter:Quoter:=3", "agent own_quoter:Quoter: '=3' is not PARAMETER=VALUE"),
        ("maker:levels=2,,lean=1", "agent maker: '' is not PARAMETER=VALUE"),
        ("needs:Bot", "agent needs:Bot: needs imports nothing_of_this_name"),
        ("broken:Bot", "agent broken:Bot: broken.py:2: ZeroDivisionError('division by zero')"),
        ("lacks:Bot", "agent lacks:Bot: lacks.py:2: AttributeError("),
        ("unsound:Bot", "agent unsound:Bot: unsound, line 1: "),
        ("own quoter:Quoter", "agent own quoter:Quoter: "),
    ],
)  # fmt: skip
def test_a_fault_names_the_agent_and_the_names_that_exist(
    folder: Path, text: str, fault: str
) -> None:
    module(folder, "own_quoter", QUOTER)
    module(folder, "needs", "import nothing_of_this_name")
    module(folder, "broken", "x = 1\nx / 0")
    module(folder, "lacks", "import json\njson.nothing")
    module(folder, "unsound", "class")
    with pytest.raises(ConfigError) as refused:
        agent_choice(text)
    assert fault in str(refused.value)


def test_parameters_of_kinds_are_read_by_kind() -> None:
    assert kind_values(["maker.levels=3", "noise.hurry=2", "maker.lean=1"]) == {
        "maker": {"levels": "3", "lean": "1"}, "noise": {"hurry": "2"},
    }  # fmt: skip


@pytest.mark.parametrize("text", ["maker", "maker=3", "maker.levels", "maker.=3"])
def test_a_parameter_without_kind_name_or_value_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is not KIND\.PARAMETER=VALUE") as refused:
        kind_values([text])
    assert repr(text) in str(refused.value)


def test_a_file_has_kinds_and_agents(folder: Path) -> None:
    module(folder, "own_quoter", QUOTER)
    path = folder / "market.toml"
    path.write_text(
        '[kinds.maker]\nlevels = 4\n\n[[agent]]\nclass = "own_quoter:Quoter"\nname = "tight"\n'
        'count = 2\n[agent.parameters]\nhalf_spread_bps = 2\n\n[[agent]]\nclass = "noise"\n'
    )
    kinds, choices = read_agents_file(path)
    assert kinds == {"maker": {"levels": 4}}
    assert [(each.name, each.count, each.parameters) for each in choices] == [
        ("tight", 2, {"half_spread_bps": 2}), ("", 1, {}),
    ]  # fmt: skip
    assert choices[1].agent is NoiseTrader


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "market.toml: No such file or directory"),
        ("[kinds.maker", "market.toml: "),
        ("[[agents]]\n", "unknown field `agents`"),
        ("[[agent]]\nname = 'x'\n", "missing required field `class`"),
        ("[[agent]]\nclass = 'maker'\nspeed = 3\n", "unknown field `speed`"),
        ("[[agent]]\nclass = 'whale'\n", "agent 'whale' is no built-in kind"),
    ],
)
def test_a_wrong_file_is_refused_by_name(folder: Path, text: str | None, fault: str) -> None:
    path = folder / "market.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_agents_file(path)
    assert fault in str(refused.value)


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["simulate", *words], env={"COLUMNS": "160"})
    return result.exit_code, result.output


def test_the_kinds_are_explained_with_all_their_parameters(folder: Path) -> None:
    module(folder, "own_quoter", QUOTER)
    status, output = run("--explain", "--agent", "own_quoter:Quoter")
    assert status == 0
    for text in ("maker: Keeps `levels` bids", "noise: Trades without information.",
                 "quoter: Quotes one bid and one ask.\n", "a number above 0 up to 100",
                 "Half the spread."):  # fmt: skip
        assert text in output
    assert "not printed" not in output
    status, output = run("--explain", "--json")
    facts = json.loads(output)
    assert list(facts) == ["maker", "noise", "momentum", "reverter"]
    [levels] = [each for each in facts["maker"] if each["name"] == "levels"]
    assert levels == {
        "name": "levels", "default": 7, "allowed": "a whole number from 1 to 50",
        "text": "Quotes on each side.",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--agent", "maker:levels=51"],
         "agent maker-2: levels: '51' is not a whole number from 1 to 50"),
        (["--parameter", "maker.levels=0"],
         "agent maker: levels: '0' is not a whole number from 1 to 50"),
        (["--parameter", "whale.size=3"],
         "agents: no built-in kind 'whale'; there are: maker, noise, momentum, reverter"),
        (["--agents", "0"], "agents: 0 is not within 1 to 200"),
        (["--agents-file", "absent.toml"], "agents file absent.toml: No such file or directory"),
        (["--agent", "nope:X"], "agent nope:X: there is no module nope"),
    ],
)  # fmt: skip
def test_a_wrong_agent_ends_the_command_before_it_connects(words: list[str], fault: str) -> None:
    status, output = run(*words, "--gateway", "tcp://127.0.0.1:1", "--json")
    assert status == 2
    error = json.loads(output)["error"]
    assert error["code"] == "CONFIGURATION"
    assert fault in error["message"]


def test_an_option_overrides_a_parameter_of_the_file(folder: Path) -> None:
    (folder / "market.toml").write_text("[kinds.maker]\nlevels = 99\nlean = 999\n")
    status, output = run("--agents-file", "market.toml", "--parameter", "maker.levels=4", "--json")
    assert status == 2
    assert "agent maker: lean: 999 is not a number from 0 to 100" in output


def test_text_with_a_colon_is_printed_as_it_is() -> None:
    _, output = run("--agent", "nope:X")
    assert "nope:X:" in output
