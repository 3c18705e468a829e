# capsule-run: make demo shows it, make test proves it.
VERSION ?= 0.1.0-dev
GO ?= go
GOFLAGS_STATIC := -trimpath -ldflags '-s -w -X github.com/capsule-run/capsule-run/internal/run.Version=$(VERSION)'

.DEFAULT_GOAL := build
SETUPS := setup-build setup-demo setup-test setup-bench
.PHONY: gpu-check symbols build cshim $(SETUPS) trees test newcomer check demo bench matrix piglit sanitize fuzz install deb clean
# A target's prerequisites are steps in order: what installs the compiler comes before what uses it.
.NOTPARALLEL:

# The launcher: one static binary with the C parts inside, and the hook, another. GOARCH=arm64 makes one for another machine.
build: cshim
	CGO_ENABLED=0 $(GO) build $(GOFLAGS_STATIC) -o bin/capsule-run ./cmd/capsule-run
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/capsule-hook ./cmd/capsule-hook

# The machine's own architecture, and those that there is a compiler for: a launcher without the C parts for one runs no
# programs of it. On Debian: libc6-dev-i386; gcc-aarch64-linux-gnu and libc6-dev-arm64-cross.
ARCHITECTURES := x86_64 i386 aarch64
OWN := $(or $(filter $(ARCHITECTURES),$(patsubst amd64,x86_64,$(patsubst arm64,aarch64,$(patsubst 386,i386,$(GOARCH))))),\
  $(shell uname -m))
cshim:
	$(MAKE) --no-print-directory -C cshim ARCH=$(OWN)
	@for arch in $(filter-out $(OWN),$(ARCHITECTURES)); do \
	  if $(MAKE) --no-print-directory -s -C cshim ARCH=$$arch able 2>/dev/null; \
	  then $(MAKE) --no-print-directory -C cshim ARCH=$$arch || exit; \
	  else echo "cshim: left out $$arch: no compiler with a C library for it" >&2; fi; done

# A static pattern rule: make looks for no implicit rule of a phony target.
$(SETUPS): setup-%:
	@sh test/setup.sh $*

# However make was started (nohup, a shell without job control, a private umask): tests are about signals and modes.
ORDINARY := umask 022 && env --default-signal

# Debian file trees and the probe programs, made once into a cache (CAPSULE_TREES).
trees: setup-test
	$(ORDINARY) $(GO) run ./test/cmd/trees all probes hosttest fulltest

# For who changes the C parts; a packager's newer compiler may warn of what none here does.
test check: export WERROR := -Werror

# Everything. A missing ability is a failure here, not a skip.
test: setup-test build check trees
	$(ORDINARY) CAPSULE_MUST_WORK=1 $(GO) test -count=1 ./...
	cd test/kubernetes && $(GO) test -count=1 ./...
	$(ORDINARY) CAPSULE_MUST_WORK=1 $(GO) test -count=1 -tags integration -timeout 45m -p 1 ./test/integration/...

# The README's two commands on a bare machine, from a fresh clone of what is committed. SUITE=trixie for another release.
newcomer:
	sh test/newcomer.sh

# What needs no tests to be seen.
check: cshim
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "not formatted by gofmt: $$unformatted" >&2; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags integration ./test/...
	sh test/vulncheck.sh

# A Debian 11 game, in a runtime without any GL, on this machine's Mesa: leaves demo.png.
demo: setup-demo build
	sh test/demo.sh

bench: setup-bench build trees
	$(GO) run ./test/bench

# A GPU of this machine, natively and through a capsule (docs/gpu.md).
gpu-check: setup-test
	test/gpu-check prepare
	test/gpu-check run

# Every runtime on every host with every API, into docs/matrix.md.
matrix: setup-test build
	$(GO) run ./test/matrix

# All of piglit's OpenGL programs, natively and in the capsule: an hour or two. `make test` has 621 of them.
piglit: setup-test build
	CAPSULE_MUST_WORK=1 CAPSULE_PIGLIT=all $(GO) test -count=1 -v -tags integration -timeout 6h -run TestPiglit ./test/integration

# The C parts with UBSan, which traps: its runtime library would be one more libc client in each namespace. (AddressSanitizer
# and memcheck are short enough for `make test`.)
SANITIZE := -fsanitize=undefined -fsanitize-undefined-trap-on-error
sanitize: setup-test
	for arch in $(ARCHITECTURES); do $(MAKE) --no-print-directory -C cshim ARCH=$$arch clean; done
	$(MAKE) --no-print-directory build EXTRA_CFLAGS='$(SANITIZE)'
	CAPSULE_MUST_WORK=1 $(GO) test -count=1 -tags integration -timeout 30m \
	  -run 'OneLibc|Unwind|Dlclose|WaylandPolyfills|Stress|BundledX11|Contexts' ./test/integration; \
	  status=$$?; $(MAKE) --no-print-directory clean build; exit $$status

# Every symbol of glibc up to 2.43, on Debian sid's glibc (make test: up to 2.41, on Debian 13's).
symbols: setup-test build trees
	CAPSULE_MUST_WORK=1 CAPSULE_SYMBOLS_HOST=hostsid $(GO) test -count=1 -tags integration -v -run TestSymbols ./test/integration

# FUZZTIME (20s) for each fuzz test.
fuzz:
	sh test/fuzz.sh $(FUZZTIME)

# The program, its man pages and completions, below DESTDIR. The pages and completions are what the program itself
# writes, so they cannot disagree with --help; HERE is the program for the machine that writes them.
PREFIX ?= /usr/local
SHARE = $(DESTDIR)$(PREFIX)/share
HERE = env -u GOARCH $(GO) run -tags man -ldflags '-X github.com/capsule-run/capsule-run/internal/run.Version=$(VERSION)' ./cmd/capsule-run
# What is redirected gets its mode from the umask.
READABLE := umask 022;
install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(SHARE)/man/man1 $(SHARE)/doc/capsule-run $(SHARE)/bash-completion/completions \
	  $(SHARE)/zsh/site-functions $(SHARE)/fish/vendor_completions.d
	install -m 755 bin/capsule-run bin/capsule-hook $(DESTDIR)$(PREFIX)/bin
	rm -rf build/man && SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || echo 0)} \
	  $(HERE) man build/man \
	  && install -m 644 build/man/*.1 $(SHARE)/man/man1
	$(READABLE) $(HERE) completion bash >$(SHARE)/bash-completion/completions/capsule-run
	$(READABLE) $(HERE) completion zsh >$(SHARE)/zsh/site-functions/_capsule-run
	$(READABLE) $(HERE) completion fish >$(SHARE)/fish/vendor_completions.d/capsule-run.fish
	install -m 644 docs/*.md docs/*.svg $(SHARE)/doc/capsule-run
	for page in README CHANGELOG CONTRIBUTING SECURITY; do $(READABLE) \
	  sed 's#](docs/#](#g' $$page.md >$(SHARE)/doc/capsule-run/$$page.md || exit; done
	sed -i 's#](\.\./#](#g' $(SHARE)/doc/capsule-run/*.md
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	$(READABLE) for unit in service path; do sed 's#/usr/bin/capsule-run#$(PREFIX)/bin/capsule-run#' configs/systemd/capsule-cdi.$$unit \
	  >$(DESTDIR)$(PREFIX)/lib/systemd/system/capsule-cdi.$$unit; done

# A Debian package of the same, in build/.
deb: build
	MAKE="$(MAKE)" packaging/deb.sh $(VERSION) $(patsubst 386,i386,$(GOARCH))

clean:
	for arch in $(ARCHITECTURES); do $(MAKE) --no-print-directory -C cshim ARCH=$$arch clean; done
	rm -rf bin build demo.png
