#!/usr/bin/env python3
"""No lambda that captures by value inside a full expression that contains co_await.

g++ 12 destroys the captures of such a lambda twice. Name the lambda first and move it in:

    auto grow = [state = std::move(state)] { ... };
    co_await asio::post(executor, std::move(grow));

Captures by reference and of `this` have no destructor and are allowed; where a value is trivially
destructible, say so with a comment `trivial captures` on the lambda's line or the one above it.
`await_lambdas.py ROOT` checks the tree, `await_lambdas.py --self-test` checks itself.
"""

import re
import sys
from pathlib import Path

FOLDERS = ["include", "lib", "tests", "perf", "tools"]
SUFFIXES = {".hpp", ".cpp", ".ipp"}
PERMISSION = "trivial captures"

LEXEME = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/|^[ \t]*\#(?:[^\n\\]|\\.)*)
      |(?P<raw>(?:u8|[uUL])?R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)")
      |(?P<text>(?:u8|[uUL])?"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)+')
      |(?P<number>\.?\d(?:'?[\w.])*)
      |(?P<word>[A-Za-z_]\w*)
      |(?P<mark>->|::|.)""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
OPENERS = {"(": ")", "[": "]", "{": "}"}
CLOSERS = {closer: opener for opener, closer in OPENERS.items()}
CONDITIONS = {"if", "while", "for", "switch", "catch", "constexpr"}
BEFORE_BLOCK = {")", ";", "{", "}", "]", ":", "else", "do", "try"}
BEFORE_BLOCK |= {"const", "noexcept", "mutable", "override", "final"}
# A `[` after one of these words starts a lambda; after any other word it subscripts.
BEFORE_LAMBDA = {"return", "co_return", "co_await", "co_yield", "case", "else", "do", "throw"}


class Source:
    """Tokens as (text, line), and for every bracket the index of its partner."""

    def __init__(self, text):
        self.tokens, line = [], 1
        for found in LEXEME.finditer(text):
            if not found.group("skip"):
                self.tokens.append((found.group(), line))
            line += found.group().count("\n")
        self.partner, open_ = {}, []
        for index, (token, _) in enumerate(self.tokens):
            if token in OPENERS:
                open_.append(index)
            elif token in CLOSERS and open_:
                self.partner[index] = open_.pop()
                self.partner[self.partner[index]] = index

    def at(self, index):
        return self.tokens[index][0] if 0 <= index < len(self.tokens) else ""

    def is_block(self, index):
        """Whether the `{` at index opens statements, not a braced initialiser."""
        before = self.at(index - 1)
        if before in BEFORE_BLOCK:
            return True
        # A trailing return type: `-> T<U> {`; `[...] {` is handled by BEFORE_BLOCK.
        for back in range(index - 1, max(index - 40, -1), -1):
            if self.at(back) == "->":
                return self.at(back - 1) in {")", "mutable", "noexcept"}
            if self.at(back) in {";", "{", "}", "=", "return", "(", ","}:
                return False
        return False

    def expression_around(self, index):
        """The first and last token of the full expression that contains the token at index."""
        first = index
        while first > 0:
            before = self.at(first - 1)
            if before in {";", "}"} and not self.is_inner_brace(first - 1):
                break
            if before == "{" and self.is_block(first - 1):
                break
            if before == "(" and self.at(first - 2) in CONDITIONS:
                break
            first = self.partner.get(first - 1, first - 1) if before in CLOSERS else first - 1
        last = index
        while last + 1 < len(self.tokens):
            after = self.at(last + 1)
            if after == ";" or (after in CLOSERS and self.partner.get(last + 1, -1) < first):
                break
            last = self.partner.get(last + 1, last + 1) if after in OPENERS else last + 1
        return first, last

    def is_inner_brace(self, index):
        """Whether the `}` at index ends an initialiser or a lambda, so that its expression goes on."""
        opener = self.partner.get(index, index)
        return self.at(index) == "}" and (not self.is_block(opener) or self.is_lambda_body(opener))

    def is_lambda_body(self, index):
        """Whether the `{` at index follows `[...]`, parameters, specifiers and a return type."""
        index -= 1
        while index > 0 and re.match(r"\w|->|::|[)\]<>*&,]$", self.at(index)):
            if self.at(index) == "]":
                return self.starts_lambda(self.partner.get(index, index))
            if self.at(index) in CONDITIONS:
                return False
            index = self.partner.get(index, index) - 1 if self.at(index) == ")" else index - 1
        return False

    def starts_lambda(self, index):
        """Whether the token at index is a `[` that neither subscripts nor opens an attribute."""
        if self.at(index) != "[" or index not in self.partner:
            return False
        before = self.at(index - 1)
        if before in {"]", ")", "["} or self.at(index + 1) == "[":
            return False
        return not re.match(r"\w", before) or before in BEFORE_LAMBDA

    def owning_lambda_at(self, index):
        """Whether a lambda that captures something by value begins at index."""
        return self.starts_lambda(index) and any(owns(c) for c in self.captures(index))

    def captures(self, index):
        words, position = [], index + 1
        while position < self.partner[index]:
            token = self.at(position)
            if token == ",":
                yield words
                words = []
            else:
                words.append(token)
            position = self.partner.get(position, position) + 1
        if words:
            yield words


def owns(capture):
    return capture[0] != "&" and capture != ["this"]


def problems_in(text):
    """The lines on which an owning lambda stands in a co_await expression."""
    source, lines = Source(text), text.splitlines()
    found = set()
    for index, (token, _) in enumerate(source.tokens):
        if token == "co_await":
            first, last = source.expression_around(index)
            position = first
            while position <= last:
                if source.owning_lambda_at(position):
                    found.add(source.tokens[position][1])
                # A nested block is other people's full expressions.
                nested = source.at(position) == "{" and source.is_block(position)
                position = source.partner[position] + 1 if nested else position + 1
    return sorted(line for line in found if not allowed(lines, line))


def allowed(lines, number):
    return any(PERMISSION in lines[n] for n in (number - 2, number - 1) if 0 <= n < len(lines))


def check(root):
    problems, files = [], 0
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix in SUFFIXES:
                files += 1
                problems += [
                    f"{file.relative_to(root)}:{line}: a lambda that captures by value inside a "
                    "co_await expression; name it and move it in"
                    for line in problems_in(file.read_text())
                ]
    return files, problems


BAD = [
    "f() { co_await post(ex, [s] { use(s); }); }",
    "f() { co_await post(ex, [s = std::move(s)]() mutable { use(s); }, token); }",
    "f() { auto x = run([=] { return 1; }, co_await next()); }",
    "f() { if (co_await wait([s](int n) { return n; })) { g(); } }",
    "f() { while (ok) co_await wait([&a, b] { return 1; }); }",
    "f() { co_return std::pair{co_await g(), [s] {}}; }",
    "f() { for (;;) { g(); co_await wait(x{1, 2}, [p] { g(); }); } }",
    "f() { g([s] { return s; })(co_await h()); }",
    "f() { auto op = [&]() -> awaitable<void> { co_await post([s] {}); }; }",
    "f() { co_await wait([*this] { g(); }); }",
    "f() { g([s](int n) mutable -> std::pair<int, int> { return s; }, co_await next()); }",
    "f() { g([s]<class T>(T n) { return s; }, co_await next()); }",
    "f() { co_await wait(\n    std::function<void()>{[s] { g(); }}); }",
]
GOOD = [
    "f() { auto g = [s] { use(s); }; co_await post(ex, std::move(g)); }",
    "f() { co_await post(ex, [&] { g(); }); }",
    "f() { co_await post(ex, [this, &x] { g(); }); }",
    "f() { co_await post(ex, [] { g(); }); }",
    "f() { spawn(ex, [s]() -> awaitable<void> { co_await s->run(); }, detached); }",
    "f() { co_await waiters[n].wait(list[i]); }",
    "f() { if (co_await g()) { h([s] { use(s); }); } }",
    "f() { const auto n = co_await g(); post([s] { use(s); }); }",
    "f() { // co_await g([s] {})\n g(\"co_await g([s] {})\"); }",
    "f() { [[maybe_unused]] auto n = co_await g(); }",
    "f() { co_await g(\n    // trivial captures\n    [n] { use(n); }); }",
    "f() { T t{co_await g()}; auto l = [s] {}; }",
    "f() { for (auto& s : co_await g()) { h([s] { use(s); }); } }",
    "f() { g([s] { co_await h(); return 1; }); }",
    "f() { auto l = [s] {}; if (a[n] < b) { g(); } co_await h(); }",
    "f() { [] (int a[2]) { co_await h(a[1]); }(x); g([s] {}); }",
]


def self_test():
    wrong = [f"not noticed: {text}" for text in BAD if not problems_in(text)]
    wrong += [f"wrongly reported: {text}" for text in GOOD if problems_in(text)]
    return len(BAD) + len(GOOD), wrong


def main(argument):
    count, problems = self_test() if argument == "--self-test" else check(Path(argument))
    for problem in problems:
        print(problem)
    print(f"await lambdas: {count} looked at, {len(problems)} problems")
    return 1 if problems or not count else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
