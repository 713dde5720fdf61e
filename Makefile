# libapivideo: build, test, install. Needs GNU make, Rust and a C compiler. `make help` lists the targets.

PREFIX     = /usr/local
bindir     = $(PREFIX)/bin
libdir     = $(PREFIX)/lib
includedir = $(PREFIX)/include
CARGO      = cargo
CARGOFLAGS = --locked
CFLAGS     = -O2 -g
INSTALL    = install
# For another processor: CROSS=aarch64-linux-gnu-. With STRIP=: all symbols stay.
CROSS      =
LD         = $(CROSS)ld
OBJCOPY    = $(CROSS)objcopy
STRIP      = $(CROSS)strip
# Another system to build for, and where to build: nothing is written elsewhere.
TARGET     = $(CARGO_BUILD_TARGET)
CARGO_TARGET_DIR ?= target
# The time of what is in an archive: of the last commit, or of the release that the sources are from.
SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2> /dev/null),1577836800)

# Cargo.toml alone names the version, how much of it names the ABI, and the oldest Rust.
cargo_toml = $(shell sed -n 's/^$(1) = "*\([0-9.]*\)"*$$/\1/p' Cargo.toml | head -n 1)
VERSION   := $(call cargo_toml,version)
SOVERSION := $(shell echo '$(VERSION)' | cut -d. -f1-$(call cargo_toml,version_suffix_components))
RUST      := $(call cargo_toml,rust-version)

ifneq ($(findstring arwin,$(or $(TARGET),$(shell uname -s))),)
built  = libapivideo.dylib
names  = libapivideo.$(VERSION).dylib libapivideo.$(SOVERSION).dylib libapivideo.dylib
native = -framework Security -framework CoreFoundation -liconv -lSystem -lc -lm
strip_shared = -x
strip_static = -S
one_object   = $(LD) -r -exported_symbol '_apivideo_*' -force_load $(1) -o $(2)
by_nobody = --uid 0 --gid 0
else ifneq ($(findstring windows,$(TARGET)),)
windows = yes
# As printed by: cargo rustc --release --lib --crate-type staticlib -- --print native-static-libs
native = -lbcrypt -ladvapi32 -lcrypt32 -ldbghelp -lkernel32 -lntdll -luserenv -lws2_32
built  = apivideo.dll
# Below libdir; and there is no other name for a version.
names  = ../bin/apivideo.dll ../bin/apivideo.dll
strip_shared = --strip-unneeded
CROSS  = $(firstword $(subst -, ,$(TARGET)))-w64-mingw32-
else
built  = libapivideo.so
names  = libapivideo.so.$(VERSION) libapivideo.so.$(SOVERSION) libapivideo.so
# As printed by: cargo rustc --release --lib --crate-type staticlib -- --print native-static-libs
# But for -lgcc_s: the compiler adds that, or -lgcc_eh for a fully static program.
native = -lutil -lrt -lpthread -lm -ldl -lc
strip_shared = --strip-unneeded
strip_static = --strip-debug
# Without the bitcode of Rust's std, which is of no use in one object, and which LLVM's tools refuse there.
one_object   = $(LD) -r --force-group-allocation --whole-archive $(1) -o $(2) && \
	$(OBJCOPY) --wildcard --keep-global-symbol='apivideo_*' --remove-section=.llvmbc --remove-section=.llvmcmd $(2)
by_nobody = --sort=name --owner=0 --group=0 --numeric-owner --mtime='@$(SOURCE_DATE_EPOCH)' --mode=u=rwX,go=rX
endif
real    = $(word 1,$(names))
soname  = $(word 2,$(names))
exe     = $(if $(windows),.exe)
release = $(CARGO_TARGET_DIR)/$(if $(TARGET),$(TARGET)/)release
command = $(CARGO_TARGET_DIR)/$(if $(TARGET),$(TARGET)/)command/apivideo$(exe)
stage   = $(CARGO_TARGET_DIR)/$(if $(windows),$(TARGET)/)stage
options = $(CARGOFLAGS)$(if $(TARGET), --target $(TARGET)$(if $(GLIBC),.$(GLIBC)))
flags   = --release $(options)

.PHONY: all rust cli demo demo-fleet sandbox test docs pictures doctor test-fresh simulate plan model mutants cargo-mutants prove python-test dotnet-test bench-python bench-dotnet bench bench-save header licenses install uninstall install-cli uninstall-cli dist wheels packages clean help FORCE

all: ## The shared and the static library, in target/stage/lib

# An old cargo does not get as far as to say which Rust is needed: it does not understand Cargo.lock.
rust:
	@here=$$(command -v $(firstword $(CARGO)) > /dev/null && $(or $(RUSTC),rustc) --version 2> /dev/null | sed -n 's/^rustc \([0-9.]*\).*/\1/p'); \
	oldest=$$(printf '%s\n' $(RUST) "$${here:-0}" | sort -t . -k 1,1n -k 2,2n | head -n 1); \
	[ "$$oldest" = $(RUST) ] || { echo "error: libapivideo needs Rust $(RUST) or later, and PATH has $${here:-none}." \
		"https://rustup.rs installs it; where rustup is, so does: rustup update stable" >&2; exit 1; }

# Without this, musl's target makes no shared libraries.
ifneq ($(findstring musl,$(or $(TARGET),$(shell rustc -vV 2> /dev/null | sed -n 's/^host: //p'))),)
export RUSTFLAGS += -C target-feature=-crt-static
endif

# Root, and who has no cargo, installs what was built before, and compiles nothing.
other_goals = $(filter-out install install-cli,$(or $(MAKECMDGOALS),all))
can_build  := $(and $(shell command -v $(CARGO) 2> /dev/null),$(or $(other_goals),$(filter-out 0,$(shell id -u))))
# must_be_there: or it is said what is to be done, which is another thing for who wants it built.
must_be_there = test -f '$@' || $(if $(other_goals),$(MAKE) --silent rust,{ \
	echo 'error: $@ is not there yet: run $(1) first. As root, or without Rust, $(MAKECMDGOALS) compiles nothing' >&2; exit 1; })

# Cargo knows best what is to be done. What it leaves as it was is not staged again. Without the rlib, which a Rust program builds for
# itself, the linker leaves out more: 0.3 MB.
ifdef can_build
$(release)/$(built): rust FORCE
	sh reproducible.sh $(CARGO) rustc $(flags) --lib --crate-type cdylib,staticlib
else
$(release)/$(built): FORCE
	@$(call must_be_there,make)
endif
$(release)/libapivideo.a: $(release)/$(built) ;

# What is staged depends on this too.
$(stage)/how: FORCE
	@mkdir -p $(@D)
	@echo '$(STRIP)' | cmp -s - $@ || echo '$(STRIP)' > $@

ifdef windows
include packaging/windows/windows.mk
else
all: $(stage)/lib/$(real) $(stage)/lib/libapivideo.a
$(stage)/lib/$(real): $(release)/$(built) $(stage)/how
	@mkdir -p $(@D)
	cp $< $@
	$(if $(STRIP),$(STRIP) $(strip_shared) $@)
	cd $(@D) && ln -sf $(real) $(soname) && ln -sf $(soname) $(built)
# One object, in which nothing is global but apivideo_*: a program may have other parts in Rust.
$(stage)/lib/libapivideo.a: $(release)/libapivideo.a $(stage)/how
	@mkdir -p $(@D)
	$(call one_object,$<,$(stage)/apivideo.o)
	$(if $(STRIP),$(STRIP) $(strip_static) $(stage)/apivideo.o)
	rm -f $@ && $(CROSS)ar rc $@ $(stage)/apivideo.o && rm $(stage)/apivideo.o
endif

cli: $(command) ## The command apivideo, target/command/apivideo
ifdef can_build
$(command): rust FORCE
	sh reproducible.sh $(CARGO) build --profile command $(options) --package apivideo-cli
else
$(command): FORCE
	@$(call must_be_there,make cli)
endif

demo_cc = $(CC) -std=c99 -Wall -Wextra -Wpedantic $(CFLAGS) -Iinclude -pthread -o $(stage)/$(1) \
	$(addprefix examples/demo/,$(2) loopback_http.c tools.c) -L$(stage)/lib -lapivideo -Wl,-rpath,'$(abspath $(stage)/lib)'

demo: all $(if $(APIVIDEO_API_KEY),,cli) ## The life of a token and an upload in half a minute, against a local api.video
	$(if $(APIVIDEO_API_KEY),,$(CARGO) build $(flags) -p apivideo-sandbox)
	$(call demo_cc,demo,demo.c timeline.c)
	@sh examples/demo/run.sh $(stage)/demo $(release)/apivideo-sandbox$(exe)
	@echo
	@sh examples/demo/run.sh examples/demo/upload.sh $(release)/apivideo-sandbox$(exe) '$(abspath $(command))'

# How many processes, the life of a token, and how long each stretch lasts, in seconds.
FLEET = 200 4 8

demo-fleet: all ## A minute of 200 processes that share a token, by files and by Redis
	$(CARGO) build $(flags) -p apivideo-sandbox
	$(call demo_cc,fleet,fleet.c redis_server.c)
	@APIVIDEO_API_KEY= sh examples/demo/run.sh $(stage)/fleet $(release)/apivideo-sandbox$(exe) $(FLEET)

sandbox: rust ## A local api.video, and what to export to use it: no account, no network; PORT=8790
	@$(CARGO) build $(flags) --package apivideo-sandbox
	@$(release)/apivideo-sandbox$(exe) --port $(or $(PORT),8790)

test: ## Every test
	sh tests/run.sh

doctor: ## What the tests need, what of that is missing, and how to install it
	@sh tests/doctor.sh

docs: ## The documentation site, target/docs/site
	bash docs/build.sh

pictures: ## Draws docs/pictures anew from the simulation
	bash docs/build.sh --pictures

test-fresh: ## Every test in a bare Debian, as a user and as root (needs root and debootstrap)
	sh tests/fresh.sh

simulate: ## Client-years of chance in simulated time: YEARS=100
	APIVIDEO_SIMULATE_YEARS=$(or $(YEARS),100) $(CARGO) test --release $(CARGOFLAGS) --lib randomized -- --nocapture

plan: ## What fleets of up to 100,000 processes ask of api.video and of Redis, in simulated time
	@APIVIDEO_PLAN=1 $(CARGO) test --quiet --release $(CARGOFLAGS) --lib the_plan_for_large_fleets -- --nocapture

model: ## Interleavings of the cache's threads, and of processes that share a token
	APIVIDEO_MODEL=full $(CARGO) test --release $(CARGOFLAGS) --lib sharing::model -- --nocapture
	RUSTFLAGS='--cfg shuttle' CARGO_TARGET_DIR=$(CARGO_TARGET_DIR)/shuttle $(CARGO) test --release $(CARGOFLAGS) --lib interleavings

python-test: ## The Python package
	bash bindings/python/test.sh

dotnet-test: ## The .NET package
	bash bindings/dotnet/test.sh

bench-python bench-dotnet: bench-%: ## Side by side with the official client: bench-python, bench-dotnet
	bash bindings/$*/bench.sh

mutants: ## Planted bugs, each of which the tests must find
	sh tests/mutants.sh

cargo-mutants: ## Every change that cargo-mutants can make to a token's life, each of which the tests must notice
	sh tests/cargo-mutants.sh

prove: ## All that looks for failures: the tests, and the long runs
	APIVIDEO_TEST_FORKS=1000 APIVIDEO_TEST_PROCESSES=1000 APIVIDEO_TEST_CONAN=yes sh tests/run.sh
	sh tests/run.sh race leaks arm64
	$(CARGO) test $(CARGOFLAGS) --test uploads --test upload_loss -- --ignored
	sh tests/mutants.sh
	CI=true sh tests/cargo-mutants.sh
	CI=true sh tests/fuzz.sh 300
	$(MAKE) simulate

bench: ## Side by side with what else there is, in about six minutes
	sh benches/bench.sh

bench-save: ## The same, kept in benches/results.json and benches/README.md
	sh benches/bench.sh --save

header: ## Writes include/apivideo.h anew from src/capi
	APIVIDEO_WRITE_HEADER=1 $(CARGO) test $(CARGOFLAGS) --test header

fill    = PREFIX='$(PREFIX)' libdir='$(libdir)' includedir='$(includedir)' VERSION=$(VERSION) SOVERSION=$(SOVERSION) \
	REAL=$(real) SONAME=$(soname) NATIVE='$(native)' sh cmake/fill.sh
headers = $(notdir $(wildcard include/*.h include/*.hpp))
lib     = $(DESTDIR)$(libdir)
inc     = $(DESTDIR)$(includedir)

ifndef windows
define install_libraries
$(INSTALL) -m 755 $(stage)/lib/$(real) '$(lib)'
cd '$(lib)' && ln -sf $(real) $(soname) && ln -sf $(soname) $(built)
$(INSTALL) -m 644 $(stage)/lib/libapivideo.a '$(lib)'
endef
endif

install: all ## Installs to PREFIX, below DESTDIR; also libdir=, includedir=
	$(INSTALL) -d '$(lib)/pkgconfig' '$(lib)/cmake/apivideo' '$(inc)'
	$(install_libraries)
	$(INSTALL) -m 644 $(headers:%=include/%) '$(inc)'
	@$(fill) apivideo.pc.in > '$(lib)/pkgconfig/apivideo.pc'
	@$(fill) cmake/apivideoConfig.cmake.in > '$(lib)/cmake/apivideo/apivideoConfig.cmake'
	@$(fill) cmake/apivideoConfigVersion.cmake.in > '$(lib)/cmake/apivideo/apivideoConfigVersion.cmake'
	chmod 644 '$(lib)/pkgconfig/apivideo.pc' '$(lib)/cmake/apivideo/'*
	$(if $(DESTDIR)$(windows),,@sh cmake/ldconfig.sh '$(libdir)' $(soname))

uninstall: ## Removes what install put there, given the same variables
	rm -f $(patsubst %,'$(lib)/%',$(names) $(if $(windows),$(import_libraries)) libapivideo.a pkgconfig/apivideo.pc) $(headers:%='$(inc)/%')
	rm -f '$(lib)/cmake/apivideo/apivideoConfig.cmake' '$(lib)/cmake/apivideo/apivideoConfigVersion.cmake'
	@rmdir '$(lib)/cmake/apivideo' 2> /dev/null || :

install-cli: cli ## Installs the command apivideo to PREFIX, below DESTDIR; also bindir=
	$(INSTALL) -d '$(DESTDIR)$(bindir)'
	$(INSTALL) -m 755 $(command) '$(DESTDIR)$(bindir)'

uninstall-cli: ## Removes what install-cli put there
	rm -f '$(DESTDIR)$(bindir)/apivideo$(exe)'

licenses: ## The licences of what is linked in, target/THIRD-PARTY-LICENSES.txt
	@mkdir -p '$(CARGO_TARGET_DIR)'
	sh licenses.sh $(TARGET) > '$(CARGO_TARGET_DIR)/licenses' && mv '$(CARGO_TARGET_DIR)/licenses' '$(CARGO_TARGET_DIR)/THIRD-PARTY-LICENSES.txt'

package = libapivideo-$(VERSION)-$(or $(TARGET),$(shell rustc -vV | sed -n 's/^host: //p'))
dist    = $(CARGO_TARGET_DIR)/dist
ifndef windows
pack = tar -C '$(dist)' $(by_nobody) -cf - $(package) | gzip -9n > '$(dist)/$(package).tar.gz'
endif
dist: all licenses ## An archive that works wherever it is unpacked, in target/dist
	rm -rf '$(dist)/$(package)'*
	$(MAKE) --no-print-directory install DESTDIR='$(dist)/$(package)' PREFIX= libdir=/lib includedir=/include
	sh reproducible.sh $(CARGO) build $(flags) --package apivideo-sandbox
	$(INSTALL) -d '$(dist)/$(package)/bin' '$(dist)/$(package)/examples' '$(dist)/$(package)/docs'
	$(INSTALL) -m 755 $(release)/apivideo-sandbox$(exe) '$(dist)/$(package)/bin'
	$(if $(STRIP),SOURCE_DATE_EPOCH=0 $(STRIP) $(strip_shared) '$(dist)/$(package)/bin/apivideo-sandbox$(exe)')
	cp tests/sandbox/README.md '$(dist)/$(package)/bin/apivideo-sandbox.md'
	sh licenses.sh '$(TARGET)' apivideo-sandbox > '$(dist)/$(package)/bin/THIRD-PARTY-LICENSES.txt'
	cp $(wildcard examples/*.c examples/*.cpp examples/README.md) '$(dist)/$(package)/examples'
	cp LICENSE '$(CARGO_TARGET_DIR)/THIRD-PARTY-LICENSES.txt' $(wildcard README.md CHANGELOG.md) '$(dist)/$(package)'
	cp -R $(wildcard docs/*.md) docs/guides docs/pictures '$(dist)/$(package)/docs'
	@$(fill) packaging/meson.build.in > '$(dist)/$(package)/meson.build'
	$(pack)
	rm -r '$(dist)/$(package)'

wheels: ## Python wheels of the platforms that packaging/build.sh has built, in target/wheels
	sh packaging/wheels.sh

packages: ## Everything that a release has, in target/packages: TARGETS='x86_64-unknown-linux-gnu …'
	sh packaging/release.sh $(TARGETS)

clean: ## Removes everything that was built
	$(CARGO) clean

print-%: # The value of a variable: make print-VERSION
	@echo '$($*)'

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14
