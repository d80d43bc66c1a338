# Copyright (C) The nginx-enroll authors

# Thin: nginx's own configure and Makefile do the work, on Debian's nginx-dev.
# Everything is written below build/, with relative paths, so that the
# checkout may be anywhere and anybody's.

SHELL = /bin/bash
.SHELLFLAGS = -euo pipefail -c
.DELETE_ON_ERROR:

NGINX_DEV ?= /usr/share/nginx/src
CC_OPT ?= -O2 -g -fstack-protector-strong -Wformat -Werror=format-security \
          -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
LD_OPT ?= -Wl,-z,relro -Wl,-z,now
PROVE ?= prove
CLANG ?= clang

MODULES = ngx_http_enroll_module.so ngx_http_est_module.so \
          ngx_http_scep_module.so
DIRS = shared/pki shared/store shared/http ngx_http_est_module \
       ngx_http_scep_module
SOURCES = $(sort $(wildcard $(DIRS:=/*.c)))
HEADERS = $(sort $(wildcard $(DIRS:=/*.h)))
PKI = $(sort $(wildcard shared/pki/*.c))

NGINX = build/nginx
QUIET = $(if $(V),,-s)

export LC_ALL = C


.PHONY: all modules install unit test asan valgrind fuzz corpus bench \
        bench-tools lint clean help FORCE

all: modules

help:
	@echo "make            the modules, in build/, for the system's nginx"
	@echo "make install    what is built into nginx's modules directory"
	@echo "                (DESTDIR=)"
	@echo "make unit       the unit tests, plain and with sanitizers"
	@echo "make test       the modules, the unit tests, and all of t/"
	@echo "                (TESTS='t/a.t t/b.t': only these)"
	@echo "make asan       an nginx with the modules built in and with"
	@echo "                sanitizers, and all of t/ on it"
	@echo "make valgrind   a short run under valgrind, one of t/"
	@echo "make fuzz       each fuzzer for FUZZ_TIME seconds (60)"
	@echo "make bench      what an enrolment costs, beside bare OpenSSL"
	@echo "                (BENCH='est-p256 scep': only these parts)"
	@echo "make lint       clang-tidy, cppcheck and gcc -fanalyzer"
	@echo "make clean      removes build/"
	@echo
	@echo "CC, CC_OPT, LD_OPT, NGINX_DEV as usual; V=1 shows commands;"
	@echo "ENROLL_HIREDIS=shared links libhiredis.so, not a hidden copy."


# The modules.  nginx is configured anew when a source comes or goes, and
# when nginx or an option changes.  nginx's configure takes no path with a
# space in it, so it runs in a directory of links, from where all is relative.

build/settings: FORCE
	@mkdir -p build
	@{ echo '$(CC) | $(CC_OPT) | $(LD_OPT)'; \
	   echo "hiredis $${ENROLL_HIREDIS:-static}"; \
	   printf '%s\n' $(SOURCES) $(HEADERS); \
	   grep '^#define NGINX_VERSION' $(NGINX_DEV)/src/core/nginx.h; \
	   cat $(NGINX_DEV)/conf_flags; } > $@.new \
	|| { echo "make: no nginx to build for in $(NGINX_DEV):" \
	          "apt install nginx-dev" >&2; exit 1; }
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(NGINX)/objs/Makefile: config build/settings
	@rm -rf $(NGINX)
	@mkdir -p $(NGINX)
	@ln -s $(NGINX_DEV)/auto $(NGINX_DEV)/configure $(NGINX_DEV)/src $(NGINX)/
	@. $(NGINX_DEV)/conf_flags; cd $(NGINX); \
	 echo "configure, for nginx $$(sed -n \
	     's/.*NGINX_VERSION *"\(.*\)"/\1/p' src/core/nginx.h)"; \
	 ./configure "$${NGX_CONF_FLAGS[@]}" --builddir=objs \
	     --with-cc='$(CC)' --with-cc-opt='$(CC_OPT)' \
	     --with-ld-opt='$(LD_OPT)' --add-dynamic-module=../.. \
	     > configure.log 2>&1 \
	 || { grep -A 9 ' error: ' configure.log >&2 \
	      || tail -n 20 configure.log >&2; rm -f objs/Makefile; exit 1; }

modules: $(NGINX)/objs/Makefile
	@$(MAKE) $(QUIET) --no-print-directory -C $(NGINX) -f objs/Makefile \
	    modules
	@cd build && ln -sf $(MODULES:%=nginx/objs/%) ./


# Installs what is built, and builds nothing: sudo drops what the environment
# said to the build.  load_module files, as Debian's packages have them: 40
# before 50, since EST and SCEP need the core's symbols.

MODULES_DIR ?= $(shell sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p' \
                   $(NGINX_DEV)/conf_flags 2> /dev/null)
AVAILABLE = $(DESTDIR)/usr/share/nginx/modules-available
ENABLED = /etc/nginx/modules-enabled

install:
	@for m in $(MODULES:%=build/%); do \
	    test -f $$m \
	    || { echo "make: there is no $$m to install:" \
	              "run make first, not as root" >&2; exit 1; }; \
	 done
	@test -n '$(MODULES_DIR)' \
	|| { echo "make: no modules directory is known from $(NGINX_DEV):" \
	          "name it, by make install MODULES_DIR=" >&2; exit 1; }
	install -d '$(DESTDIR)$(MODULES_DIR)' '$(AVAILABLE)'
	install -m 644 $(MODULES:%=build/%) '$(DESTDIR)$(MODULES_DIR)/'
	@for m in enroll est scep; do \
	    echo "load_module modules/ngx_http_$${m}_module.so;" \
	        > '$(AVAILABLE)'/mod-http-$$m.conf; \
	 done
	@echo
	@echo "To load them, unless nginx.conf has load_module lines for them:"
	@echo "  ln -s /usr/share/nginx/modules-available/mod-http-enroll.conf" \
	     "$(ENABLED)/40-mod-http-enroll.conf"
	@echo "  ln -s /usr/share/nginx/modules-available/mod-http-est.conf" \
	     "$(ENABLED)/50-mod-http-est.conf"
	@echo "  ln -s /usr/share/nginx/modules-available/mod-http-scep.conf" \
	     "$(ENABLED)/50-mod-http-scep.conf"
	@echo "Then restart nginx (a reload keeps old modules)."


# The unit tests: shared/pki alone, with no nginx, twice.

UNIT = $(patsubst t/unit/%.c,%,$(wildcard t/unit/test_*.c))
UNIT_AUX = $(filter-out t/unit/test_%,$(wildcard t/unit/*.c))
UNIT_DEPS = $(wildcard shared/pki/*.h t/unit/*.h) Makefile
WARN = -Wall -Wextra -Werror -Wpointer-arith -Wstrict-prototypes
SANITIZE = -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined \
           -fno-omit-frame-pointer

unit: $(UNIT:%=build/unit/%) $(UNIT:%=build/unit/%.asan)

build/unit/%.o: shared/pki/%.c $(UNIT_DEPS)
	@mkdir -p build/unit
	$(if $(V),,@echo "cc $<"; )$(CC) $(WARN) -O1 -g -Ishared/pki -c -o $@ $<

build/unit/%.asan.o: shared/pki/%.c $(UNIT_DEPS)
	@mkdir -p build/unit
	$(if $(V),,@)$(CC) $(WARN) $(SANITIZE) -g -Ishared/pki -c -o $@ $<

build/unit/%: t/unit/%.c $(UNIT_AUX) \
              $(PKI:shared/pki/%.c=build/unit/%.o) $(UNIT_DEPS)
	$(if $(V),,@echo "cc $<"; )$(CC) $(WARN) -O1 -g -Ishared/pki -It/unit \
	    -o $@ $(filter %.c %.o,$^) -lcmocka -lssl -lcrypto

build/unit/%.asan: t/unit/%.c $(UNIT_AUX) \
              $(PKI:shared/pki/%.c=build/unit/%.asan.o) $(UNIT_DEPS)
	$(if $(V),,@)$(CC) $(WARN) $(SANITIZE) -g -Ishared/pki -It/unit \
	    -o $@ $(filter %.c %.o,$^) -lcmocka -lssl -lcrypto

.PRECIOUS: build/unit/%.o build/unit/%.asan.o


# All tests, on the system's nginx with the modules loaded, or on one that
# has them built in, where memory errors and undefined behaviour end it.

TESTS ?= t

test: modules unit corpus bench-tools
	$(PROVE) -I t/lib $(TESTS)

asan: unit corpus bench-tools build/asan/nginx
	TEST_NGINX_BINARY="$$PWD/build/asan/nginx" TEST_NGINX_STATIC=1 \
	UBSAN_OPTIONS=print_stacktrace=1 \
	    $(PROVE) -I t/lib $(TESTS)

valgrind: modules
	$(PROVE) -I t/lib t/enroll_valgrind.t

build/asan/nginx: config build/settings tools/nginx-asan.sh $(SOURCES) \
                  $(HEADERS)
	@tools/nginx-asan.sh


# What reads octets from outside, under libFuzzer, each for FUZZ_TIME seconds.
# What it finds new stays below build/fuzz, with the input that broke it.
# Without libFuzzer the same programs take the kept corpus and damaged copies of
# it: t/fuzz.t.

FUZZ = $(patsubst t/fuzz/%.c,%,$(wildcard t/fuzz/fuzz_*.c))
FUZZ_TIME ?= 60

fuzz: $(FUZZ:%=fuzz-%)

$(FUZZ:%=fuzz-%): fuzz-fuzz_%: build/fuzz/fuzz_%
	@mkdir -p build/fuzz/corpus/$*
	$< -max_total_time=$(FUZZ_TIME) -timeout=10 -rss_limit_mb=2048 \
	    -max_len=16384 -print_final_stats=1 -verbosity=0 \
	    -artifact_prefix=build/fuzz/$*- build/fuzz/corpus/$* \
	    t/fuzz/corpus/$*

$(FUZZ:%=build/fuzz/%): build/fuzz/%: t/fuzz/%.c $(PKI) $(UNIT_DEPS)
	@mkdir -p build/fuzz
	$(if $(V),,@echo "clang $<"; )$(CLANG) -g -O1 -Wall -Wextra -Ishared/pki \
	    -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=undefined -fno-omit-frame-pointer \
	    -o $@ $< $(PKI) -lcrypto

corpus: $(FUZZ:%=build/unit/%.asan)

build/unit/fuzz_%.asan: t/fuzz/fuzz_%.c t/fuzz/corpus.c \
              $(PKI:shared/pki/%.c=build/unit/%.asan.o) $(UNIT_DEPS)
	$(if $(V),,@echo "cc $<"; )$(CC) $(WARN) $(SANITIZE) -g -Ishared/pki \
	    -o $@ $(filter %.c %.o,$^) -lcrypto


# The load generator, and what it measures: bench/README.md.
# make bench BENCH="est-p256 scep"

BENCH_C = $(filter-out bench/pause.c,$(wildcard bench/*.c))

bench: modules bench-tools
	@perl bench/run.pl $(BENCH)

bench-tools: build/bench/load build/bench/pause.so

build/bench/load: $(BENCH_C) bench/bench.h Makefile
	@mkdir -p build/bench
	$(if $(V),,@echo "cc bench/*.c"; )$(CC) $(WARN) -O2 -g -pthread \
	    -o $@ $(BENCH_C) -lssl -lcrypto

build/bench/pause.so: bench/pause.c Makefile
	@mkdir -p build/bench
	$(if $(V),,@)$(CC) $(WARN) -O2 -g -shared -fPIC -o $@ $< -ldl


lint: $(NGINX)/objs/Makefile
	@tools/lint.sh


clean:
	rm -rf build
