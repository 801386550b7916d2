"""A small solver of Horn clauses that prints its search; its source is part of the programs.

A term is a list of a predicate and its arguments; capitals are variables. A rule is a list of
terms: what it proves, then what that needs. Rules must not need themselves.
"""


def solution(facts: list, rules: list, query: list) -> bool:
    def shown(term):
        return f"{term[0]}({', '.join(term[1:])})"

    def bound(term, values):
        return [term[0]] + [values.get(argument, argument) for argument in term[1:]]

    def matched(term, fact):
        # values of the term's variables that make it the fact
        values: dict = {}
        if term[0] != fact[0] or len(term) != len(fact):
            return None
        for argument, name in zip(term[1:], fact[1:], strict=True):
            if argument.isupper():
                if values.setdefault(argument, name) != name:
                    return None
            elif argument != name:
                return None
        return values

    def prove_all(terms, values, depth):
        if not terms:
            yield values
            return
        for more in prove(bound(terms[0], values), depth):
            yield from prove_all(terms[1:], {**values, **more}, depth)

    def prove(goal, depth):
        # yields values of the goal's variables, one for each way to prove it
        indent = "  " * depth
        print(f"{indent}Search {shown(goal)}")
        ways = 0
        for fact in facts:
            values = matched(goal, fact)
            if values is not None:
                ways += 1
                print(f"{indent}{'Found' if ways == 1 else 'Redo: found'} {shown(fact)}")
                yield values
        for head, *body in rules:
            names = matched(head, goal)
            if names is None:
                continue
            needs = ", ".join(shown(bound(term, names)) for term in body)
            print(f"{indent}Try {shown(goal)} by {needs}")
            for _ in prove_all(body, names, depth + 1):
                ways += 1
                print(f"{indent}{'Found' if ways == 1 else 'Redo: found'} {shown(goal)}")
                yield {}
        print(f"{indent}Fail {shown(goal)}" if ways == 0 else f"{indent}No more {shown(goal)}")

    for _ in prove(query, 0):
        return True
    return False
