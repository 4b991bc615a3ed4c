"""The expositions of all processes as one document: each family once, its samples by shard.

Text in, text out. The matcher of every shard has a family of the same name, and a document may
have it only once; a label `shard` distinguishes the samples.
"""

from collections.abc import Iterable


def joined(texts: Iterable[tuple[int, str]]) -> str:
    """One document of (shard, exposition) pairs.

    >>> text = "# TYPE x_total counter\\nx_total 1.0\\n"
    >>> print(joined([(0, text), (1, text.replace("1.0", "2.0"))]), end="")
    # TYPE x_total counter
    x_total{shard="0"} 1.0
    x_total{shard="1"} 2.0
    >>> print(joined([(0, 'y{a="b"} 1.0\\n')]), end="")
    y{shard="0",a="b"} 1.0
    """
    families: dict[str, tuple[dict[str, None], list[str]]] = {}
    for shard, text in texts:
        head, samples = families.setdefault("", ({}, []))
        for line in text.splitlines():
            if line.startswith("# "):
                # "# HELP name ..." and "# TYPE name ..." begin a family.
                head, samples = families.setdefault(line.split(" ", 3)[2], ({}, []))
                head[line] = None
            elif line:
                samples.append(labelled(line, shard))
    lines = [line for head, samples in families.values() for line in (*head, *samples)]
    return "".join(f"{line}\n" for line in lines)


def labelled(sample: str, shard: int) -> str:
    """A sample with the label `shard` before its other labels.

    >>> labelled("z 3.0", 1), labelled('z{le="1"} 3.0', 1)
    ('z{shard="1"} 3.0', 'z{shard="1",le="1"} 3.0')
    """
    name, brace, rest = sample.partition("{")
    if brace and " " not in name:
        return f'{name}{{shard="{shard}",{rest}'
    name, _, value = sample.partition(" ")
    return f'{name}{{shard="{shard}"}} {value}'
