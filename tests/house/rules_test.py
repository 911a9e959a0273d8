#!/usr/bin/env python3
"""That layering.py and style.py catch what they are for: each case is a small tree with one fault."""
import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))
import layering  # noqa: E402
import style  # noqa: E402


def said_by(rule, tree):
    """The exit code of a rule and what it prints, for {path: text}."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in tree.items():
            file = Path(folder) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        said = io.StringIO()
        with contextlib.redirect_stdout(said), mock.patch.object(sys, "argv", [rule.__file__, folder]):
            code = rule.main()
        return code, said.getvalue()


class Layering(unittest.TestCase):
    def refused(self, path, text, words):
        code, said = said_by(layering, {path: text})
        self.assertEqual(code, 1, said)
        self.assertIn(words, said)
        self.assertIn(path + ":", said)

    def allowed(self, path, text):
        code, said = said_by(layering, {path: text})
        self.assertEqual(code, 0, said)

    def test_arrows_between_folders(self):
        self.refused("campaign/plan/a.cpp", '#include "container/engine.hpp"\n', "campaign does not use container")
        self.refused("container/image.cpp", '#include "campaign/plan/plan.hpp"\n', "container does not use campaign")
        self.refused("container/image.cpp", '#include "tests/a.hpp"\n', "container does not use tests")
        self.allowed("controller/session.cpp", '#include "campaign/plan/plan.hpp"\n#include "container/image.hpp"\n')

    def test_rooms_of_a_folder(self):
        self.refused("campaign/plan/a.cpp", '#include "campaign/state/fold.hpp"\n', "plan/ lies below state/")
        self.refused("controller/stages/gap.cpp", '#include "controller/session.hpp"\n', "stages/ lies below session*")
        self.allowed("campaign/state/a.cpp", '#include "campaign/plan/plan.hpp"\n#include "campaign/state/b.hpp"\n')

    def test_every_file_has_a_room(self):
        self.refused("campaign/util/a.cpp", "\n", "stands in no room")
        self.refused("controller/helpers.hpp", "\n", "stands in no room")

    def test_the_launcher_stands_apart(self):
        self.refused("container/launcher/a.cpp", '#include "container/labels.hpp"\n', "the launcher stands apart")
        self.refused("controller/session.cpp", '#include "container/launcher/a.hpp"\n', "the launcher stands apart")
        self.allowed("tests/container/a.cpp", '#include "container/launcher/a.hpp"\n')

    def test_heavy_headers(self):
        for heavy in ("boost/beast.hpp", "boost/asio.hpp", "boost/process/v2.hpp", "yaml-cpp/yaml.h", "CLI/CLI.hpp",
                      "nlohmann/json.hpp", "spdlog/spdlog.h"):
            self.refused("controller/session.hpp", f"#include <{heavy}>\n", "a header includes <" + heavy)
            self.allowed("controller/session.cpp", f"#include <{heavy}>\n")
        self.allowed("container/async.hpp", "#include <boost/asio/awaitable.hpp>\n")

    def test_costly_headers_stand_in_one_file(self):
        twice = {f"container/{name}.cpp": "#include <boost/beast/http.hpp>\n" for name in ("image", "exec")}
        code, said = said_by(layering, twice)
        self.assertEqual(code, 1)
        self.assertIn("<boost/beast>", said)

    def test_at_most_six_includes(self):
        six = "".join(f"#include <a{n}>\n" for n in range(6))
        self.allowed("campaign/plan/a.hpp", six)
        self.allowed("campaign/plan/a.cpp", six + "#include <b>\n")
        self.refused("campaign/plan/a.hpp", six + "#include <b>\n", "more than 6 includes")

    def test_paths_begin_at_the_root(self):
        self.refused("campaign/plan/a.cpp", '#include "plan.hpp"\n', "from the repository's root")

    def test_a_tree_without_sources_is_a_fault(self):
        self.assertEqual(said_by(layering, {"README.md": "x\n"})[0], 1)


class Style(unittest.TestCase):
    def said(self, path, text):
        with mock.patch.object(style, "LONG_FUNCTIONS", {}):
            return said_by(style, {path: text})

    def refused(self, path, text, words):
        code, said = self.said(path, text)
        self.assertEqual(code, 1, said)
        self.assertIn(words, said)

    def test_long_files(self):
        self.refused("campaign/a.cpp", "int a;\n" * 501, "501 lines")
        self.assertEqual(self.said("campaign/a.cpp", "int a;\n" * 500)[0], 0)

    def test_long_functions(self):
        body = "  step();\n"
        for head in ("void f(int a) {", "namespace n {\nvoid C::f(\n    int a) const {", "struct A {\n  A() : a_{1}, b_(2) {",
                     'TEST(A, B) {\n  g("}");', "template <class T>\nauto f() -> int {\n  // }"):
            end = "}\n" * (head.count("namespace") + head.count("struct") + 1)
            self.assertEqual(self.said("campaign/a.cpp", f"{head}\n{body * 40}{end}")[0], 0, head)
            self.refused("campaign/a.cpp", f"{head}\n{body * 50}{end}", "a function of 5")
        self.refused("images/a.py", "def f():\n" + "    step()\n" * 50, "a function of 51 lines")
        self.refused("images/a.sh", "f() {\n" + "  step\n" * 50 + "}\n", "a function of 52 lines")

    def test_tables_are_not_functions(self):
        self.assertEqual(self.said("campaign/a.cpp", "const int a[] = {\n" + "  1,\n" * 80 + "};\n")[0], 0)

    def test_notes_and_paths(self):
        self.refused("campaign/a.cpp", "// TO" "DO: more\n", "a note to self")
        self.refused("docs/a.md", "see /ho" "me/someone/a\n", "a path of one machine")
        self.assertEqual(self.said("docs/a.md", "HOME=/campaign/home/a\n")[0], 0)

    def test_what_runs_leave_is_not_looked_at(self):
        for left in ("examples/a/.state/m.json", "examples/a/results/s/r.json"):
            self.assertEqual(self.said(left, "")[0], 1)
            code, said = said_by(style, {left: "/ho" "me/someone/a\n", "docs/a.md": "fine\n"})
            self.assertNotIn("a path of one machine", said)
        self.refused("campaign/results/a.cpp", "// /ho" "me/someone/a\n", "a path of one machine")

    def test_exceptions_that_nobody_needs(self):
        with mock.patch.object(style, "LONG_FUNCTIONS", {"campaign/a.cpp:void f()": "a table"}):
            code, said = said_by(style, {"campaign/a.cpp": "void f() {}\n"})
        self.assertEqual(code, 1)
        self.assertIn("is not there or not long", said)


if __name__ == "__main__":
    unittest.main()
