"""Functions of integers compiled to LLVM IR."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llvmlite import ir


class NotCompilable(ValueError):
    """A function uses what is not compiled; the message names it."""


def compiled(tree: ast.Module, *, checked: bool = False) -> str:
    """Returns the LLVM IR of a program's `solution` and of the functions that it calls, as a
    compiler writes it before it optimises: every variable is a stack slot.

    Integers have 64 bits and wrap; division rounds down, as Python's does. Compiled are assignments
    to names, if, while, for over range, break, continue, return, conditional expressions, and, or,
    not, comparisons, + - * // % & | ^, powers and shifts by a constant, abs, min, max, and calls of
    functions of the same kind.

    Args:
        checked: also set the global `.left` to 1 where a sum, difference or product leaves the 64
            bits.

    Raises:
        NotCompilable: a function uses anything else, or there is none.
        ImportError: llvmlite is not installed.
    """
    from llvmlite import ir

    functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    used = list(dict.fromkeys(_called("solution", functions)))
    if not used:
        raise NotCompilable("it defines no solution")
    module, i64 = ir.Module("program"), ir.IntType(64)
    left = ir.GlobalVariable(module, i64, ".left") if checked else None
    if left:
        left.initializer = i64(0)
    declared = {}
    for name in used:
        shape = ir.FunctionType(i64, [i64] * len(functions[name].args.args))
        declared[name] = ir.Function(module, shape, name)
    for name in used:
        declared[name].linkage = "" if name == "solution" else "internal"
        _Compiler(functions[name], declared, left)
    return str(module)


def _called(name: str, functions: dict[str, ast.FunctionDef]) -> Iterator[str]:
    """Yields a function's name and those of the functions that it calls, and they in turn."""
    found, more = set(), [name]
    while more:
        name = more.pop(0)
        if name in functions and name not in found:
            found.add(name)
            yield name
            for node in ast.walk(functions[name]):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    more.append(node.func.id)


class _Compiler:
    """Compiles one function."""

    def __init__(
        self, node: ast.FunctionDef, declared: dict[str, ir.Function], left: ir.Value | None
    ) -> None:
        from llvmlite import ir

        arguments = node.args
        others = (*arguments.posonlyargs, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
        if any(others) or node.decorator_list:
            raise NotCompilable("a decorator, or parameters that are no names")
        names = [argument.arg for argument in arguments.args]
        self._ir, self._i64 = ir, ir.IntType(64)
        self._declared, self._function, self._left = declared, declared[node.name], left
        self._build = ir.IRBuilder(self._function.append_basic_block("entry"))
        self._loops: list[tuple[ir.Block, ir.Block]] = []
        nodes = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
        stored = {each.id for each in nodes if isinstance(each.ctx, ast.Store)}
        self._slots = {
            name: self._build.alloca(self._i64, name=f"{name}.addr")
            for name in [*names, *sorted(stored - set(names))]
        }
        for name, argument in zip(names, self._function.args, strict=True):
            argument.name = name
            self._build.store(argument, self._slots[name])
        self._statements(node.body)
        if not self._build.block.is_terminated:
            raise NotCompilable("an end without a return")

    def _statements(self, body: list[ast.stmt]) -> None:
        for statement in body:
            if self._build.block.is_terminated:
                return
            method = getattr(self, f"_{type(statement).__name__}", None)
            if method is None:
                raise NotCompilable(type(statement).__name__)
            method(statement)

    def _Pass(self, node: ast.Pass) -> None:
        pass

    def _Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            raise NotCompilable("an expression as a statement")

    def _Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                if len(node.targets) > 1 or len(target.elts) != len(node.value.elts):
                    raise NotCompilable("an assignment to several tuples")
                values = [self._value(each) for each in node.value.elts]
                for each, value in zip(target.elts, values, strict=True):
                    self._store(each, value)
                return
        value = self._value(node.value)
        for target in node.targets:
            self._store(target, value)

    def _AugAssign(self, node: ast.AugAssign) -> None:
        if not isinstance(node.target, ast.Name):
            raise NotCompilable(type(node.target).__name__)
        before = self._value(ast.Name(node.target.id, ast.Load()))
        self._store(node.target, self._binary(node.op, before, node.value))

    def _Return(self, node: ast.Return) -> None:
        if node.value is None:
            raise NotCompilable("a return without a value")
        self._build.ret(self._value(node.value))

    def _Break(self, node: ast.Break) -> None:
        self._build.branch(self._loops[-1][1])

    def _Continue(self, node: ast.Continue) -> None:
        self._build.branch(self._loops[-1][0])

    def _If(self, node: ast.If) -> None:
        then, end = self._block("if.then"), self._block("if.end")
        other = self._block("if.else") if node.orelse else end
        self._build.cbranch(self._truth(node.test), then, other)
        self._place(then)
        self._statements(node.body)
        reached = self._go_on(end)
        if node.orelse:
            self._place(other)
            self._statements(node.orelse)
            reached |= self._go_on(end)
        if reached or not node.orelse:
            self._place(end)

    def _While(self, node: ast.While) -> None:
        if node.orelse:
            raise NotCompilable("else of a loop")
        test, body, end = map(self._block, ("while.cond", "while.body", "while.end"))
        endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
        self._build.branch(test)
        self._place(test)
        if endless:
            self._build.branch(body)
        else:
            self._build.cbranch(self._truth(node.test), body, end)
        self._place(body)
        self._loop(node.body, test, end)
        if not endless or any(isinstance(each, ast.Break) for each in ast.walk(node)):
            self._place(end)

    def _For(self, node: ast.For) -> None:
        bounds = _range(node.iter)
        if node.orelse or bounds is None:
            raise NotCompilable("a loop over anything but a range, or else of a loop")
        first, last, step = bounds
        start = self._value(first) if first else self._i64(0)
        stop = self._value(last)
        with self._build.goto_entry_block():
            counter = self._build.alloca(self._i64, name="counter")
        self._build.store(start, counter)
        names = ("for.cond", "for.body", "for.inc", "for.end")
        test, body, more, end = map(self._block, names)
        self._build.branch(test)
        self._place(test)
        now = self._build.load(counter)
        self._build.cbranch(self._build.icmp_signed("<" if step > 0 else ">", now, stop), body, end)
        self._place(body)
        self._store(node.target, self._build.load(counter))
        self._loop(node.body, more, end)
        self._place(more)
        self._build.store(self._exact("add", self._build.load(counter), self._i64(step)), counter)
        self._build.branch(test)
        self._place(end)

    def _loop(self, body: list[ast.stmt], again: ir.Block, end: ir.Block) -> None:
        self._loops.append((again, end))
        self._statements(body)
        self._loops.pop()
        self._go_on(again)

    def _block(self, name: str) -> ir.Block:
        """A block that stands nowhere yet."""
        return self._ir.Block(parent=self._function, name=name)

    def _place(self, block: ir.Block) -> None:
        self._function.blocks.append(block)
        self._build.position_at_end(block)

    def _go_on(self, block: ir.Block) -> bool:
        """Goes on to a block from where the code has not left already; says whether it does."""
        if self._build.block.is_terminated:
            return False
        self._build.branch(block)
        return True

    def _store(self, target: ast.expr, value: ir.Value) -> None:
        if not isinstance(target, ast.Name):
            raise NotCompilable(f"an assignment to {type(target).__name__}")
        self._build.store(value, self._slots[target.id])

    def _value(self, node: ast.expr) -> ir.Value:
        match node:
            case ast.Constant(value=int() as number) if -(2**63) <= number < 2**63:
                return self._i64(int(number))
            case ast.Name(id=name) if name in self._slots:
                return self._build.load(self._slots[name])
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(op, self._value(left), right)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._exact("sub", self._i64(0), self._value(operand))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._value(operand)
            case ast.UnaryOp(op=ast.Not()) | ast.Compare():
                return self._build.zext(self._truth(node), self._i64)
            case ast.BoolOp(op=op, values=values):
                return self._choice(values, isinstance(op, ast.Or))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._either(test, body, orelse)
            case ast.Call(func=ast.Name(id=name), args=[_, *_] as given, keywords=[]):
                return self._call(name, given)
        raise NotCompilable(ast.unparse(node)[:60])

    def _truth(self, node: ast.expr) -> ir.Value:
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._build.not_(self._truth(operand))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _SIGNS:
                one, other = self._value(left), self._value(right)
                return self._build.icmp_signed(_SIGNS[type(op)], one, other)
            case ast.Compare(ops=[_, _, *_], comparators=[ast.Name() | ast.Constant(), *_]):
                lefts = [node.left, *node.comparators[:-1]]
                parts: list[ast.expr] = [
                    ast.Compare(one, [op], [other])
                    for one, op, other in zip(lefts, node.ops, node.comparators, strict=True)
                ]
                return self._truth(ast.BoolOp(ast.And(), parts))
            case ast.Compare():
                raise NotCompilable(ast.unparse(node)[:60])
        return self._build.icmp_signed("!=", self._value(node), self._i64(0))

    def _choice(self, values: list[ast.expr], is_or: bool) -> ir.Value:
        """The first value that is true (or) or false (and), else the last; the rest is not run."""
        end = self._block("or.end" if is_or else "and.end")
        incoming = []
        for value in values[:-1]:
            known, more = self._value(value), self._block("or.more" if is_or else "and.more")
            true = self._build.icmp_signed("!=", known, self._i64(0))
            incoming.append((known, self._build.block))
            self._build.cbranch(true, *((end, more) if is_or else (more, end)))
            self._place(more)
        incoming.append((self._value(values[-1]), self._build.block))
        self._build.branch(end)
        return self._joined(end, incoming)

    def _either(self, test: ast.expr, body: ast.expr, orelse: ast.expr) -> ir.Value:
        true, false, end = map(self._block, ("cond.true", "cond.false", "cond.end"))
        self._build.cbranch(self._truth(test), true, false)
        incoming = []
        for block, value in ((true, body), (false, orelse)):
            self._place(block)
            incoming.append((self._value(value), self._build.block))
            self._build.branch(end)
        return self._joined(end, incoming)

    def _joined(self, end: ir.Block, incoming: list[tuple[ir.Value, ir.Block]]) -> ir.Value:
        self._place(end)
        phi = self._build.phi(self._i64)
        for value, block in incoming:
            phi.add_incoming(value, block)
        return phi

    def _call(self, name: str, given: list[ast.expr]) -> ir.Value:
        signs = {"min": "<", "max": ">"}
        if name in self._declared and name not in self._slots:
            if len(given) != len(self._declared[name].args):
                raise NotCompilable(f"a call of {name} without all arguments")
            return self._build.call(self._declared[name], [self._value(each) for each in given])
        if name == "int" and len(given) == 1:
            return self._value(given[0])
        known = (name, len(given)) == ("abs", 1) or (name in signs and len(given) > 1)
        if name in self._slots or not known:
            raise NotCompilable(f"a call of {name}")
        value, *others = map(self._value, given)
        if name == "abs":
            negative = self._build.icmp_signed("<", value, self._i64(0))
            return self._build.select(negative, self._exact("sub", self._i64(0), value), value)
        for other in others:
            value = self._build.select(
                self._build.icmp_signed(signs[name], other, value), other, value
            )
        return value

    def _binary(self, op: ast.operator, one: ir.Value, node: ast.expr) -> ir.Value:
        constant = node.value if isinstance(node, ast.Constant) else None
        if isinstance(op, (ast.Pow, ast.LShift, ast.RShift)):
            if type(constant) is not int or not 0 <= constant < (
                9 if isinstance(op, ast.Pow) else 63
            ):
                raise NotCompilable("a power or shift by what is no small constant")
            if isinstance(op, ast.RShift):
                return self._build.ashr(one, self._i64(constant))
            if isinstance(op, ast.LShift):
                return self._exact("mul", one, self._i64(1 << constant))
            power = self._i64(1)
            for _ in range(constant):
                power = self._exact("mul", power, one)
            return power
        other = self._value(node)
        match op:
            case ast.Add():
                return self._exact("add", one, other)
            case ast.Sub():
                return self._exact("sub", one, other)
            case ast.Mult():
                return self._exact("mul", one, other)
            case ast.BitAnd():
                return self._build.and_(one, other)
            case ast.BitOr():
                return self._build.or_(one, other)
            case ast.BitXor():
                return self._build.xor(one, other)
            case ast.FloorDiv() | ast.Mod():
                rest = self._build.srem(one, other)
                inexact = self._build.icmp_signed("!=", rest, self._i64(0))
                unlike = self._build.icmp_signed("<", self._build.xor(rest, other), self._i64(0))
                down = self._build.and_(inexact, unlike)  # LLVM rounds towards zero
                if isinstance(op, ast.Mod):
                    return self._build.add(rest, self._build.select(down, other, self._i64(0)))
                quotient = self._build.sdiv(one, other)
                return self._build.sub(quotient, self._build.zext(down, self._i64))
        raise NotCompilable(type(op).__name__)

    def _exact(self, name: str, one: ir.Value, other: ir.Value) -> ir.Value:
        if self._left is None:
            return getattr(self._build, name)(one, other)
        both = getattr(self._build, f"s{name}_with_overflow")(one, other)
        before, now = self._build.load(self._left), self._build.extract_value(both, 1)
        self._build.store(self._build.or_(before, self._build.zext(now, self._i64)), self._left)
        return self._build.extract_value(both, 0)


_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


def _range(node: ast.expr) -> tuple[ast.expr | None, ast.expr, int] | None:
    """Start (None for 0), stop and step of a range with a constant step; None for all else."""
    match node:
        case ast.Call(func=ast.Name("range"), args=[stop], keywords=[]):
            return None, stop, 1
        case ast.Call(func=ast.Name("range"), args=[start, stop], keywords=[]):
            return start, stop, 1
        case ast.Call(func=ast.Name("range"), args=[start, stop, step], keywords=[]):
            text = ast.unparse(step)
            if text.removeprefix("-").isdecimal() and int(text):
                return start, stop, int(text)
    return None
