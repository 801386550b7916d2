"""What LLVM makes of IR: its text once optimised, its graph, and the blocks that its runs take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Graph = Mapping[str, Sequence[str]]
"""Block -> the blocks that its terminator may go on to, in the terminator's order."""


def follows(graph: Graph, path: Sequence[str]) -> bool:
    """Whether each step of a path is an edge of the graph, or a call of a function or its return.

    >>> follows({"entry": ["a", "b"], "a": [], "b": ["b", "a"]}, ["entry", "b", "b", "a"])
    True
    >>> follows({"entry": ["a", "b"], "a": [], "b": ["b", "a"]}, ["entry", "a", "b"])
    False
    """
    frames: list[str] = []
    for block in path:
        if block.rpartition(":")[2] == "entry":
            frames.append(block)
            continue
        while frames and not graph[frames[-1]]:  # it has returned
            frames.pop()
        if not frames or block not in graph[frames[-1]]:
            return False
        frames[-1] = block
    return True


def run(ir: str, checked: str, levels: list[int], inputs: list[list[int]], most: int) -> Any:
    """Verifies IR, optimises it, and runs its `solution` on inputs with a note of each block that
    begins. Meant for the sandbox: it needs nothing but llvmlite.

    Args:
        ir, checked: as `compiled` returns them, without and with checks.
        levels: of optimisation, 0 to 3.
        most: blocks of a path that are noted, at most.

    Returns:
        None where a number leaves the 64 bits, else for each level `text`, `graph` and for each
        input [output, blocks in their order]. Blocks are `function:block` where there are several
        functions.
    """
    import ctypes
    import re

    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    path: list[int] = []
    note = ctypes.CFUNCTYPE(None, ctypes.c_int64)(
        lambda number: path.append(number) if len(path) < most else None
    )
    llvm.add_symbol(".begins", ctypes.cast(note, ctypes.c_void_p).value)
    engines: list[Any] = []  # an engine's code is gone with it

    def machine() -> Any:  # its code runs a few times: made fast, not fast code
        return llvm.Target.from_default_triple().create_target_machine(opt=0)

    layout = f'target datalayout = "{machine().target_data}"'

    def verified(text: str) -> Any:
        module = llvm.parse_assembly(text.replace('target datalayout = ""', layout))
        module.verify()
        return module

    def called(text: str) -> Any:
        module = verified(text)
        engines.append(llvm.create_mcjit_compiler(module, machine()))
        engines[-1].finalize_object()
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(inputs[0]))
        return kind(engines[-1].get_function_address("solution"))

    solution = called(checked)
    for given in inputs:
        solution(*given)
    if ctypes.c_int64.from_address(engines[-1].get_global_value_address(".left")).value:
        return None
    found = []
    for level in levels:
        module = verified(ir)
        if level:
            tuning = llvm.create_pipeline_tuning_options(speed_level=level)
            tuning.loop_vectorization = tuning.slp_vectorization = False
            builder = llvm.create_pass_builder(machine(), tuning)
            builder.getModulePassManager().run(module, builder)
        whole = str(module)
        functions = [each for each in module.functions if not each.is_declaration]
        names: list[str] = []
        graph: dict[str, list[str]] = {}
        noted = whole
        for function in functions:
            lines, text = [], str(function)
            prefix = f"{function.name}:" if len(functions) > 1 else ""
            blocks = {block.name: str(list(block.instructions)[-1]) for block in function.blocks}
            begun = None
            for line in text.split("\n"):
                label = re.match(r'"?([^" ]+)"?:', line)
                if begun is not None and " = phi " not in line:
                    lines.append(f"  call void @.begins(i64 {len(names)})")
                    names.append(prefix + begun)
                    begun = None
                lines.append(line)
                if label and label[1] in blocks:
                    begun = label[1]
            noted = noted.replace(text, "\n".join(lines))
            for name, end in blocks.items():
                after = re.findall(r'label %"?([\w.$-]+)"?', end)
                graph[prefix + name] = [prefix + each for each in dict.fromkeys(after)]
        traced = called(noted + "\ndeclare void @.begins(i64)\n")
        runs = []
        for given in inputs:
            path.clear()
            output = traced(*given)
            runs.append([output, [names[number] for number in path]])
        text = re.sub(r"^(;|source_filename|target|attributes).*\n", "", whole, flags=re.M)
        # predecessors would tell the edges
        text = re.sub(r" +(; preds = .*|#\d+)(?=$| \{$)", "", text, flags=re.M)
        found.append({"text": text.strip(), "graph": graph, "runs": runs})
    return found
