"""Conan 2's recipe: packs what `make` builds. `conan create packaging/conan --version $(make --silent print-VERSION)`.

The sources are those around it: it is exported with them.
"""

import os

from conan import ConanFile
from conan.tools.files import copy


class ApivideoConan(ConanFile):
    name = "apivideo"
    license = "MIT"
    description = "Valid api.video bearer tokens for any thread of any program"
    topics = ("api.video", "authentication", "token")
    settings = "os", "arch", "compiler", "build_type"
    package_type = "library"
    options = {"shared": [True, False]}
    default_options = {"shared": True}

    SOURCES = ("Cargo.toml", "Cargo.lock", "Makefile", "LICENSE", "build.rs", "*.sh", "apivideo.pc.in", "cmake/*", "include/*", "src/*", "cli/*", "tests/sandbox/*")

    def export_sources(self):
        for pattern in self.SOURCES:
            copy(self, pattern, os.path.join(self.recipe_folder, "..", ".."), self.export_sources_folder)

    def package_id(self):
        # Written in Rust, behind a C ABI: the compiler of what uses it makes no difference.
        del self.info.settings.compiler
        del self.info.settings.build_type

    def build(self):
        self.run("make all licenses", cwd=self.source_folder)

    def package(self):
        self.run(f'make install DESTDIR="{self.package_folder}" PREFIX= libdir=/lib includedir=/include', cwd=self.source_folder)
        licenses = os.path.join(self.package_folder, "licenses")
        copy(self, "LICENSE", self.source_folder, licenses)
        target = os.environ.get("CARGO_TARGET_DIR", os.path.join(self.source_folder, "target"))
        copy(self, "THIRD-PARTY-LICENSES.txt", target, licenses)
        unwanted = "libapivideo.a" if self.options.shared else "libapivideo.so*"
        for path in self._library_files(unwanted):
            os.remove(path)

    def _library_files(self, pattern):
        import glob

        return glob.glob(os.path.join(self.package_folder, "lib", pattern))

    def package_info(self):
        self.cpp_info.libs = ["apivideo"]
        self.cpp_info.set_property("cmake_file_name", "apivideo")
        self.cpp_info.set_property("cmake_target_name", "apivideo::apivideo")
        self.cpp_info.set_property("pkg_config_name", "apivideo")
        if self.settings.os == "Linux" and not self.options.shared:
            self.cpp_info.system_libs = ["util", "rt", "pthread", "m", "dl"]
