# The commands that people type; each does all its own set-up. What they do is in tools/.
.DEFAULT_GOAL := help
.PHONY: help demo test test-aarch64 coverage asan tsan fuzz soak bench format check-format install clean

SECONDS ?= 60
unexport SECONDS  # bash would count on from there.
MINUTES ?= 30
RUNS ?= 3
PREFIX ?= /usr/local

help: ## Shows this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Installs what is needed, builds, and takes real files through a store and back
	@tools/install-dependencies.sh build
	@tools/build.sh release
	@tools/demo.sh build/release/bin/chunker

test: ## Installs what is needed, builds, and runs every test
	@tools/install-dependencies.sh build test
	@tools/build.sh dev
	@tools/test.sh dev
	@tools/check_requirements.py --build build/dev

test-aarch64: ## Cross-builds for Arm and tests kernels, golden vectors and the program under qemu
	@tools/install-dependencies.sh aarch64
	@tools/test_aarch64.sh

coverage: ## Prints line coverage of src/ and include/, and fails below 90 %
	@tools/install-dependencies.sh build test coverage
	@tools/build.sh cov
	@tools/test.sh cov
	@tools/coverage.sh build/cov

asan: ## Tests under AddressSanitizer and UndefinedBehaviorSanitizer (clang 19)
	@tools/install-dependencies.sh build test clang
	@tools/build.sh asan
	@tools/test.sh asan

tsan: ## Tests under ThreadSanitizer (clang 19, with a oneTBB built for it)
	@tools/install-dependencies.sh build test clang tsan
	@tools/tsan.sh

fuzz: ## Fuzzes every target for SECONDS=60 each, and counts that in doc/fuzzing.md
	@tools/install-dependencies.sh build clang
	@tools/build.sh fuzz
	@tools/fuzz.py build/fuzz $(SECONDS)

soak: ## Does anything to stores and kills the program at random, for MINUTES=30
	@tools/install-dependencies.sh build
	@tools/build.sh release
	@test/cli/soak.py build/release/bin/chunker --minutes $(MINUTES)

bench: ## Compares with borg, restic, casync, bup and hashers on the files in CORPUS=DIR, RUNS=3 times
	@tools/install-dependencies.sh build bench
	@tools/build.sh release
	@bench/peers.sh "$(CORPUS)" $(RUNS)

format: ## Formats the C++ sources (clang-format 19)
	@tools/install-dependencies.sh clang
	@git ls-files '*.cpp' '*.hpp' '*.h' | xargs clang-format-19 -i

check-format: ## Complains about C++ sources that `make format` would change
	@tools/install-dependencies.sh clang
	@git ls-files '*.cpp' '*.hpp' '*.h' | xargs clang-format-19 --dry-run --Werror

install: ## Installs program, library and headers under PREFIX=/usr/local
	@tools/install-dependencies.sh build
	@tools/build.sh release
	@cmake --install build/release --prefix "$(PREFIX)"

clean: ## Removes everything that was built
	@rm -rf build
