"""The comparer finds each kind of change, planted in the library's own header."""

import io
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))
import compare  # noqa: E402

HEADER = Path(__file__).parents[2] / "include/apivideo.h"
VERSION = re.search(r'#define APIVIDEO_VERSION ".+"', HEADER.read_text())[0]
FREE = "void apivideo_operation_free(apivideo_operation *operation);"


class Done(NamedTuple):
    code: int
    stdout: str
    stderr: str


def run(*arguments: object, abidiff: bool = False) -> Done:
    """What the program does and prints. abidiff is slow, so only its own tests use it."""
    out, err = io.StringIO(), io.StringIO()
    which = shutil.which if abidiff else lambda _: None
    with mock.patch("shutil.which", which), redirect_stdout(out), redirect_stderr(err):
        code = compare.main([str(argument) for argument in arguments])
    return Done(code, out.getvalue(), err.getvalue())


class Planted(unittest.TestCase):
    """A header is frozen, changed and compared."""

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.header = Path(folder.name, "apivideo.h")
        cls.listing = Path(folder.name, "promises.txt")
        cls.header.write_text(HEADER.read_text())
        cls.listing.write_text("# A comment.\n")
        run(cls.header, cls.listing, "--freeze")
        cls.frozen = cls.listing.read_text()

    def setUp(self) -> None:
        self.header.write_text(HEADER.read_text())
        self.listing.write_text(self.frozen)

    def plant(self, old: str, new: str) -> None:
        text = self.header.read_text()
        self.assertEqual(text.count(old), 1, f"{old!r} stands in the header once")
        self.header.write_text(text.replace(old, new))

    def assert_broken(self, *messages: str, abidiff: bool = False) -> None:
        done = run(self.header, self.listing, abidiff=abidiff)
        self.assertEqual(done.code, 1, done.stdout)
        for message in messages:
            self.assertIn(message, done.stderr)

    def assert_added(self, *names: str) -> None:
        done = run(self.header, self.listing)
        self.assertEqual((done.code, done.stderr), (0, ""))
        added = [
            line.split()[1:3] for line in done.stdout.splitlines() if line.startswith("added:")
        ]
        self.assertEqual([" ".join(name) for name in added], list(names))

    # Additions.

    def test_nothing_changed(self) -> None:
        self.assert_added()

    def test_comments_and_layout_do_not_matter(self) -> None:
        self.plant(FREE, f"/* Frees. */ {FREE.replace('(', '(  ')}")
        self.assert_added()

    def test_an_added_function(self) -> None:
        self.plant(FREE, FREE + "\nvoid apivideo_new(int32_t number);")
        self.assert_added("function apivideo_new")

    def test_an_added_constant_macro_and_type(self) -> None:
        self.plant(
            "APIVIDEO_STATUS_INTERNAL = 18,", "APIVIDEO_STATUS_INTERNAL = 18, APIVIDEO_STATUS_NEW,"
        )
        self.plant(
            FREE, "#define APIVIDEO_NEW 1\ntypedef struct apivideo_new apivideo_new;\n" + FREE
        )
        self.assert_added("macro APIVIDEO_NEW", "constant APIVIDEO_STATUS_NEW", "type apivideo_new")

    def test_another_release(self) -> None:
        self.plant(VERSION, '#define APIVIDEO_VERSION "0.1.1"')
        self.plant("#define APIVIDEO_VERSION_PATCH ", "#define APIVIDEO_VERSION_PATCH 1")
        self.assert_added()

    def test_freezing_keeps_the_version_that_brought_each(self) -> None:
        self.plant(VERSION, '#define APIVIDEO_VERSION "0.3.0"')
        self.plant(FREE, "void apivideo_new(int32_t number);\n" + FREE)
        self.assertEqual(run(self.header, self.listing, "--freeze").code, 0)
        lines = self.listing.read_text().splitlines()
        self.assertEqual(lines[0], "# A comment.")
        self.assertIn("0.3 function apivideo_new void apivideo_new(int32_t number)", lines)
        self.assertEqual(sum(line.startswith("0.3 ") for line in lines), 1)
        self.assert_added()

    # Broken promises.

    def test_a_removed_function(self) -> None:
        self.plant(FREE, "")
        self.assert_broken("function apivideo_operation_free is gone. It is promised since 0.1.")

    def test_a_renamed_function(self) -> None:
        self.plant("uint32_t apivideo_abi_version(void);", "uint32_t apivideo_abi(void);")
        self.assert_broken("function apivideo_abi_version is gone")

    def test_another_type_of_a_parameter(self) -> None:
        self.plant(
            "uint32_t timeout_ms,\n                                        const apivideo_token **",
            "uint64_t timeout_ms,\n                                        const apivideo_token **",
        )
        self.assert_broken(
            "function apivideo_operation_wait has changed since 0.1.",
            "promised: apivideo_status apivideo_operation_wait(const apivideo_operation *operation, uint32_t",
            "now:      apivideo_status apivideo_operation_wait(const apivideo_operation *operation, uint64_t",
        )

    def test_a_const_that_went(self) -> None:
        self.plant(
            "void apivideo_token_free(const apivideo_token",
            "void apivideo_token_free(apivideo_token",
        )
        self.assert_broken("function apivideo_token_free has changed")

    def test_two_parameters_of_one_type_that_changed_places(self) -> None:
        self.plant(
            "apivideo_config_set_app(apivideo_config *config,\n"
            "                                        const char *name,\n"
            "                                        const char *version,",
            "apivideo_config_set_app(apivideo_config *config, const char *version, const char *name,",
        )
        self.assert_broken("function apivideo_config_set_app has changed")

    def test_another_result(self) -> None:
        self.plant("uint32_t apivideo_abi_version(void);", "uint64_t apivideo_abi_version(void);")
        self.assert_broken("function apivideo_abi_version has changed")

    def test_another_number(self) -> None:
        self.plant("APIVIDEO_LOG_LEVEL_DEBUG = 4", "APIVIDEO_LOG_LEVEL_DEBUG = 5")
        self.assert_broken(
            "constant APIVIDEO_LOG_LEVEL_DEBUG has changed since 0.1.",
            "promised: enum apivideo_log_level: 4",
        )

    def test_a_number_that_moved_because_one_was_put_in_front(self) -> None:
        self.plant(
            "APIVIDEO_TOKEN_STATE_UNAVAILABLE = 5",
            "APIVIDEO_TOKEN_STATE_NEW, APIVIDEO_TOKEN_STATE_UNAVAILABLE",
        )
        self.assert_broken("constant APIVIDEO_TOKEN_STATE_UNAVAILABLE has changed")

    def test_a_removed_constant(self) -> None:
        self.plant("APIVIDEO_STATISTIC_WAITERS = 8,", "")
        self.assert_broken("constant APIVIDEO_STATISTIC_WAITERS is gone")

    def test_another_macro(self) -> None:
        self.plant("#define APIVIDEO_ABI_VERSION 1", "#define APIVIDEO_ABI_VERSION 2")
        self.assert_broken("macro APIVIDEO_ABI_VERSION has changed")

    def test_a_removed_macro(self) -> None:
        self.plant(VERSION, '#define OTHER_VERSION "0.1.1"')
        self.assert_broken("macro APIVIDEO_VERSION is gone")

    def test_another_callback(self) -> None:
        self.plant(
            "(*apivideo_state_callback)(int32_t state", "(*apivideo_state_callback)(int64_t state"
        )
        self.assert_broken("type apivideo_state_callback has changed")

    def test_another_type_behind_a_name(self) -> None:
        self.plant("typedef int32_t apivideo_status;", "typedef int64_t apivideo_status;")
        self.assert_broken("type apivideo_status has changed")

    def test_another_type_behind_an_enum_of_cpp(self) -> None:
        old = "enum apivideo_status\n#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L\n  : int32_t"
        self.plant(old, old.replace("int32_t", "int64_t"))
        self.assert_broken("enum apivideo_status has changed")

    def test_nothing_is_frozen_while_a_promise_is_broken(self) -> None:
        before = self.listing.read_text()
        self.plant(FREE, "void apivideo_new(int32_t number);")
        self.assertEqual(run(self.header, self.listing, "--freeze").code, 1)
        self.assertEqual(self.listing.read_text(), before)

    # The second opinions.

    @unittest.skipUnless(shutil.which("abidiff"), "abidiff is not installed")
    def test_abidiff_sees_it_too(self) -> None:
        self.plant("uint32_t apivideo_abi_version(void);", "uint64_t apivideo_abi_version(void);")
        self.assert_broken(
            "abidiff sees a change", "'function uint32_t apivideo_abi_version()'", abidiff=True
        )

    @unittest.skipUnless(shutil.which("abidiff"), "abidiff is not installed")
    def test_abidiff_passes_additions(self) -> None:
        self.plant(FREE, FREE + "\nvoid apivideo_new(int32_t number);")
        self.assertEqual(run(self.header, self.listing, abidiff=True).code, 0)

    def test_a_library_must_export_what_the_header_has_and_no_more(self) -> None:
        library = self.header.with_name("library.so")
        source = "void apivideo_one(void) {}\nvoid apivideo_two(void) {}\n"
        command = [*compare.CC, "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)]
        subprocess.run(command, input=source, text=True, check=True)
        present = {("function", "apivideo_two"): "", ("function", "apivideo_three"): ""}
        self.assertEqual(
            compare.compare_library(library, present),
            [
                f"{library} does not export apivideo_three.",
                f"{library} exports apivideo_one, which is not in the header.",
            ],
        )


if __name__ == "__main__":
    unittest.main()
