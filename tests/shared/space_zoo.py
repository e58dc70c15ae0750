"""Declared spaces of every shape, for the tests of what works on any of them."""

from __future__ import annotations

from collections.abc import Callable

import nas


def one_parameter() -> nas.Space:
    return nas.Space("one", width=nas.Choice(16, 32, 64))


def single() -> nas.Space:
    return nas.Space("single", width=32, kind=nas.Choice("conv"))


def resnets() -> nas.Space:
    return nas.Space(
        "resnets",
        depth=nas.Integer(1, 3),
        width=nas.Choice(16, 24, 32, 48),
        stages=nas.Repeat("depth", kernel=nas.Choice(3, 5), se=nas.Choice(None, 0.25)),
        activation=nas.Choice("relu", "silu"),
        dropout=nas.Float(0.0, 0.5, levels=6, when={"width": (32, 48)}),
    )


def three_deep() -> nas.Space:
    """Conditions on conditions on conditions, some on parameters declared later."""
    return nas.Space(
        "deep",
        last=nas.Integer(1, 4, when={"third": ("x", "y")}),
        first=nas.Choice(True, False),
        second=nas.Choice("a", "b", when={"first": True}),
        third=nas.Choice("x", "y", "z", when={"second": "b", "first": True}),
    )


def nested() -> nas.Space:
    """Repeats of repeats; the inner count belongs to each item."""
    return nas.Space(
        "nested",
        stages=nas.Repeat(
            2,
            depth=nas.Integer(0, 2),
            blocks=nas.Repeat(
                "depth", kernel=nas.Choice(3, 5, 7), skip=nas.Choice(True, False, when={"kernel": 7})
            ),
        ),
        width=nas.Choice(8, 16),
    )


def values() -> nas.Space:
    """Options of every plain type, with texts that need escapes."""
    return nas.Space(
        "values",
        mixed=nas.Choice(None, True, 1.5, "1.5", "a b,c/d=e", "", "None", "'q'", "ü%20", "(1;2)"),
        shape=nas.Choice((1, 2), (1,), (), ((2, 3), "x")),
        flag=nas.Choice(False, 0, "False"),
    )


def wide() -> nas.Space:
    return nas.Space("wide", {f"p{i}": nas.Integer(0, 3) for i in range(200)})


def many_options() -> nas.Space:
    return nas.Space("options", index=nas.Integer(0, 9_999), kind=nas.Choice(*map(str, range(10_000))))


def forbidding() -> nas.Space:
    space = nas.Space("forbidding", a=nas.Integer(0, 9), b=nas.Integer(0, 9), c=nas.Choice("x", "y"))
    return space.forbid(lambda c: c.a + c.b > 6).same(lambda c: (min(c.a, c.b), max(c.a, c.b), c.c))


def mapped() -> nas.Space:
    space = nas.Space("mapped", {f"p{i}": nas.Integer(0, 9) for i in range(12)})
    return space.same(lambda c: {"p1": 0} if c.p0 == 0 else {})


def pinned() -> nas.Space:
    return resnets().fix({"stages.kernel": 5}, width=32)


ZOO: dict[str, Callable[[], nas.Space]] = {
    make.__name__: make
    for make in (
        one_parameter, single, resnets, three_deep, nested, values, wide, many_options, forbidding, mapped, pinned,
    )
}  # fmt: skip
