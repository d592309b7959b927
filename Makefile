# A thin front for Meson and the scripts. `make run` and `make test` install what they need (scripts/setup).

FUZZ_SECONDS ?= 60

.PHONY: all run build test web fuzz bench asan tsan format clean help

all: build

help:
	@echo "make run     build and start a server for trying out, on this machine only"
	@echo "make test    all checks and tests"
	@echo "make build   build/sterna"
	@echo "make web     the web app, web/dist"
	@echo "make fuzz    each fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS)"
	@echo "make bench   the benchmarks"
	@echo "make asan    tests with the address and undefined behaviour sanitizers"
	@echo "make tsan    tests with the thread sanitizer"
	@echo "make format  break lines that are too long"
	@echo "make clean   remove all that was built"

run:
	@scripts/setup --build-only
	@$(MAKE) --no-print-directory build
	@echo "Sterna starts on http://localhost:7880 (key devkey, secret secret); Ctrl-C ends it."
	@exec build/sterna serve --dev

# A directory that is set up already keeps its options: those of `make test` do no harm.
build: $(if $(wildcard web/package.json),web/dist/index.html)
	@scripts/build build $$([ -f build/.options ] && sed 's/ *-Dweb=[a-z]*$$//' build/.options || echo -Dtests=false)
	@ln -sf src/app/sterna build/sterna

web: web/dist/index.html
	@:

web/dist/index.html: $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -print 2>/dev/null)
	@scripts/setup --build-only
	@echo "building the web app"
	@cd web && npm run --silent build
	@touch $@

test:
	@scripts/setup
	@$(if $(wildcard web/package.json),$(MAKE) --no-print-directory web)
	@scripts/test

asan:
	@scripts/build build-asan -Dtests=true -Db_sanitize=address,undefined -Db_lundef=false
	@meson test -C build-asan --no-rebuild --print-errorlogs --timeout-multiplier 4

tsan:
	@scripts/build build-tsan -Dtests=true -Db_sanitize=thread -Db_lundef=false
	@meson test -C build-tsan --no-rebuild --print-errorlogs --timeout-multiplier 4

fuzz:
	@scripts/fuzz $(FUZZ_SECONDS)

bench:
	@scripts/build build-bench -Dtests=false
	@meson test -C build-bench --no-rebuild --benchmark --verbose

format:
	@scripts/format

clean:
	rm -rf build build-*/ web/dist
