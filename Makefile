# Two commands: `make demo` and `make test`. The rest is for people who work on Shortlist.
SHELL := /bin/bash
PREFIX ?= /usr/local
BACKEND ?=
ARGS ?=
QUICK ?=

.PHONY: help demo test bootstrap build lib wheel install bench shaders format lint sanitize clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{ printf "  make %-10s %s\n", $$1, $$2 }'

demo: bootstrap ## Train SASRec with CE, SCE and RECE on generated data; a table and a picture (ARGS="--help" for options)
	@BACKEND="$(BACKEND)" Tools/demo $(ARGS)

test: ## Run every test of every language and end with counts (ARGS="core c" runs chosen parts)
	@Tools/bootstrap tests
	@Tools/test $(ARGS)

bootstrap: ## Install what a build lacks (asks for root only if it must)
	@Tools/bootstrap

build: bootstrap ## Build the Swift package in release mode
	swift build -c release

lib: bootstrap ## Build the self-contained libshortlist.so into build/
	@Tools/build-shared.sh build

wheel: lib ## Build the Python wheel, with the library inside, into dist/
	@SHORTLIST_LIBRARY="$(CURDIR)/build/libshortlist.so" Tools/build-wheel.sh dist

install: lib ## Install header, library and pkg-config file under PREFIX (default /usr/local)
	@Tools/install.sh "$(PREFIX)"

bench: bootstrap ## Time and memory beside PyTorch and faiss, and the floor of the products (QUICK=1 for a small run)
	@Benchmarks/run $(if $(QUICK),--quick) $(ARGS)

shaders: ## Compile Shaders/ to the committed SPIR-V (wants libshaderc; nothing else does)
	@Tools/shaders

format: ## Format Swift and Python
	swift format format --in-place --recursive Package.swift Sources Tests examples Benchmarks python/tests
	@Tools/ruff format examples Benchmarks Tools Tests python
	@$$(Tools/venv) Tools/python-api
	@Tools/ruff check --fix examples Benchmarks Tools Tests python

lint: ## Check formatting, layers and snippets without changing anything
	@Tools/test lint

sanitize: ## The sanitizer builds alone
	@Tools/bootstrap tests
	@Tools/test sanitize

clean: ## Remove what builds leave behind
	rm -rf .build build dist examples/.build Benchmarks/.build .venv .venv-bench
