# For GNU make, including macOS's 3.81. Needs Python 3.11 or newer; creates its own environment in .venv.

# The first that is new enough is used, or the one of `make PYTHON=/path/to/python demo`.
PYTHONS = $(or $(PYTHON),$(preferred) python3.11 python3.12 python3.13 python3)
PYTHON_3_12 ?= python3.12
PYTHON_3_13 ?= python3.13

# What `make matrix` tests with, each from .ci/constraints-NAME.txt: the first and the newest patch of each Airflow as it
# was installed on its day, and the lowest versions that pyproject.toml admits. Some of them on other Pythons, where this
# machine has them; Amazon MWAA's is 3.12.
MATRIX = 3.2.2 3.1.8 3.0.6 2.11.2 lowest 3.3.0 3.2.0 3.1.0 3.0.0 2.11.0
matrix-2.11.0 matrix-3.0.6 matrix-3.2.2: preferred = $(PYTHON_3_12)
matrix-3.3.0: preferred = $(PYTHON_3_13)

# The tests that depend on the version of Airflow or its providers; and with the latest patches, which most users run,
# also a real Airflow, its commands and the launch page. Only Airflow 3.0.0 has its kind of channel to the tasks.
PATHS = tests/unit $(patsubst %,tests/integration/%, \
	notifications delivery/test_any_notifier.py test_dag_parsing.py test_plugin_import.py)
NOT_OF_AIRFLOW = $(patsubst %,tests/unit/%,local fleet) \
	$(patsubst %,tests/unit/hooks/test_%.py,responses_not_from_aws unusable_connections) \
	$(patsubst %,tests/unit/waiting/poller/test_%.py,describe_queue rate_limiter poller \
	waits_of_any_age) tests/integration/notifications/test_email_in_browser.py
MATRIX_TESTS = $(PATHS) $(NOT_OF_AIRFLOW:%=--ignore=%) $(MORE_TESTS) $(SYSTEM_TESTS:%=tests/system/test_%.py)
matrix-2.11.2 matrix-3.0.6 matrix-3.1.8 matrix-3.2.2: SYSTEM_TESTS = \
	airflow_2 many_links_at_once dags_test_command launch_page
matrix-2.11.2 matrix-3.0.6 matrix-3.1.8 matrix-3.2.2: MORE_TESTS = \
	$(patsubst %,tests/faults/test_%.py,airflow_fails deliveries old_events) \
	$(patsubst %,tests/integration/%.py,hooks/test_aws_connection delivery/test_delivery_faults)
matrix-3.0.0: SYSTEM_TESTS = many_links_at_once
# The tests that depend on the versions of moto, Flask, botocore and the mail server.
matrix-lowest: MATRIX_TESTS = $(patsubst %,tests/unit/%,local notifications hooks/test_sagemaker_notebook.py) \
	$(patsubst %,tests/integration/%,local notifications delivery/test_any_notifier.py)

# Without browser tests, which are slow and cover JavaScript rather than Python, and without the scenarios of idle
# notebooks, whose lines the unit tests run. The file that takes longest comes first, so that both processes end together.
COVERED_TESTS = --numprocesses auto --dist loadfile -m "not browser" tests/faults tests/unit tests/integration \
	--ignore=tests/integration/idle

# $(call in_environment,GROUP) COMMAND: run a command in .venv. With exec, so that signals reach the command itself.
in_environment = $(call python,.ci/environment.py $(1) $(2))
python = @for python in $(PYTHONS); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			exec "$$python" $(1); \
		fi; \
	done; \
	echo "Python 3.11 or newer is required; none was found as: $(PYTHONS)." >&2; \
	echo "Install one, or name it: make PYTHON=/path/to/python $@" >&2; \
	exit 1

# Compiled modules make Airflow start faster.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test unit check coverage matrix $(MATRIX:%=matrix-%) long fab bench fleet docs pictures constraints lint format clean

# The text after ## is the target's help line.
help: ## all targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## try it: local SageMaker, Airflow, an inbox with the link; until Ctrl-C (once=1: check it, then exit)
	$(call in_environment,demo,python -m airflow_sagemaker_presign.local.demo $(if $(once),--once) $(if $(port),--port "$(port)"))

test: lint ## lint, types, and all tests: unit, faults, integration, system (args=tests/unit/test_links.py: some)
	$(call in_environment,newest,python -m pytest $(args))

unit: ## the unit tests, in under a minute (args=: some)
	$(call in_environment,newest,python -m pytest $(or $(args),--numprocesses auto tests/unit))

check: lint unit ## lint, types and unit tests: before each commit

# With args=, the floor does not apply.
coverage: ## lines and branches that unit, fault and integration tests run; fails below a floor (args=: some tests)
	$(call in_environment,newest,sh -c 'coverage erase && coverage run -m pytest $(or $(args),$(COVERED_TESTS)) && \
		coverage combine --quiet && coverage report $(if $(args),--fail-under 0)')

# All run even if some fail; make then reports the failures. `make -j 2 matrix` runs two at a time.
matrix: ## selected tests with each supported Airflow, and with the lowest versions (only=3.1.8: one of them)
	$(if $(filter-out $(MATRIX),$(only)),$(error only=$(only): must be one of $(MATRIX)))
	@$(MAKE) --keep-going --no-print-directory $(patsubst %,matrix-%,$(or $(only),$(MATRIX)))

$(MATRIX:%=matrix-%): matrix-%:
	$(call in_environment,test:$*,python -m pytest $(or $(args),$(MATRIX_TESTS)))

# With new random examples each time; in CI the examples are always the same.
long: ## random sequences of faults, different ones each time, for half an hour (N=: how many)
	$(call in_environment,newest,env FAULT_SEQUENCES="$(or $(N),20000)" python -m pytest tests/faults/test_any_sequence.py)

constraints: ## resolve the versions that the tests run with again (only=3.1.8: those of one Airflow)
	$(call python,.ci/resolve.py $(only))

fab: ## the launch page with Flask-AppBuilder's users
	$(call in_environment,fab,python -m pytest $(or $(args),tests/system/test_fab.py))

bench: ## measure: parsing, delivery, the launch page, many waits at once (N=1000: how many; only=polling)
	$(call in_environment,newest,python -m tests.benchmarks $(if $(N),--waits "$(N)") $(if $(runs),--runs "$(runs)") $(foreach name,$(only),--only "$(name)"))

fleet: ## two workers and two triggerers, killed while 200 notebooks start (N=), ten times (runs=)
	$(call in_environment,fleet,python -m tests.fleet $(if $(N),--notebooks "$(N)") $(if $(runs),--runs "$(runs)"))

docs: ## build the documentation, docs/_build/html/index.html; a broken link is an error
	$(call in_environment,docs:docs,python -m sphinx -c docs -W --keep-going -n -q . docs/_build/html)

pictures: ## make the pictures of the documentation (needs Chromium)
	$(call in_environment,newest,sh -c 'python -m tests.pictures.rooms && python -m tests.pictures')

lint: ## lint and types only
	$(call in_environment,newest,sh -c 'ruff check . && ruff format --check . && mypy')

format: ## format the code, and fix what ruff can fix
	$(call in_environment,newest,sh -c 'ruff format . && ruff check --fix .')

clean: ## remove the environments and all generated files
	rm -rf .venv .venv-* .demo .bench docs/_build .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
