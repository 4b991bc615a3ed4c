"""Gymnasium environments: one agent under control in the simulated market. They need the extra
`gym` (`pip install "crossbook[gym]"`).

`import crossbook.gym` registers `crossbook/MarketMaking-v0` and `crossbook/Execution-v0`;
`gymnasium.make("crossbook.gym:crossbook/MarketMaking-v0")` imports it by itself.
"""

try:
    from gymnasium.envs.registration import register, registry
except ImportError as error:
    raise ImportError('crossbook.gym needs gymnasium: pip install "crossbook[gym]"') from error

for _name in ("MarketMaking", "Execution"):
    _id = f"crossbook/{_name}-v0"
    if _id not in registry:
        _module = {"MarketMaking": "market_making", "Execution": "execution"}[_name]
        register(id=_id, entry_point=f"crossbook.gym.{_module}:{_name}Env")
