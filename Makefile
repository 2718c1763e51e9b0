# GNU make, the old one of macOS too. Needs Python 3.11 or newer, and makes its own environment in .venv.

# The first that is new enough; `make PYTHON=/path/to/python demo` takes another.
PYTHONS = $(PYTHON) python3.11 python3.12 python3.13 python3

# What `make matrix` tests with, each from .ci/constraints-NAME.txt: the newest patch of each older Airflow with the newest
# providers that it allows; and the newest Airflow with the lowest versions that pyproject.toml admits.
MATRIX = 2.11 3.0 3.1 3.2 lowest
MATRIX_TESTS = tests/unit tests/faults tests/integration \
	$(patsubst %,tests/system/test_%.py,airflow_2 dags_test_command door many_links_at_once)
# Airflow's version is nothing to the local SageMaker; the lowest versions of all else are.
NOT_OF_AIRFLOW = --ignore=tests/unit/local --ignore=tests/integration/local

# $(call in_environment,EXTRA) COMMAND: run a command in .venv. With exec, so that signals reach the command itself.
in_environment = @for python in $(PYTHONS); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			exec "$$python" .ci/environment.py $(1) $(2); \
		fi; \
	done; \
	echo "This needs Python 3.11 or newer, and found none as: $(PYTHONS)." >&2; \
	echo "Install one, or name it: make PYTHON=/path/to/python $@" >&2; \
	exit 1

# Compiled modules make Airflow start quicker.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test matrix fab bench fleet pictures lint format clean

help:
	@echo "make demo         see it work: local SageMaker, Airflow, an inbox with the link; until Ctrl-C"
	@echo "make demo once=1  the same, but open the link and the door, check them, and end"
	@echo "make test         lint, types, and all tests: unit, integration, system"
	@echo "make matrix       tests with other versions: $(MATRIX) (only=3.1: one of them)"
	@echo "make fab          the launch page with Flask-AppBuilder's users"
	@echo "make bench        measure: parsing, delivery, the door, and many waits at once (N=1000: so many; only=polling)"
	@echo "make fleet        two workers and two triggerers, 200 notebooks (N=), killed in mid-run ten times (runs=)"
	@echo "make pictures     make the pictures of the README (needs Chromium)"
	@echo "make lint         lint and types only"
	@echo "make format       put the code in order"
	@echo "make clean        remove the environment and all that was made here"

demo:
	$(call in_environment,local,python -m airflow_sagemaker_presign.local.demo $(if $(once),--once) $(if $(port),--port "$(port)"))

test: lint
	$(call in_environment,test,python -m pytest $(args))

# All of them run, whatever fails; then it says which did.
matrix:
	@failed=; \
	for versions in $(or $(only),$(MATRIX)); do \
		echo "== matrix: $$versions"; \
		$(MAKE) --no-print-directory matrix-$$versions || failed="$$failed $$versions"; \
	done; \
	test -z "$$failed" || { echo "matrix: failed:$$failed" >&2; exit 1; }

matrix-%:
	$(call in_environment,test:$*,env FAULT_SEQUENCES=250 python -m pytest $(or $(args),$(MATRIX_TESTS) $(if $(filter lowest,$*),,$(NOT_OF_AIRFLOW))))

fab:
	$(call in_environment,fab,python -m pytest $(or $(args),tests/system/test_fab.py))

bench:
	$(call in_environment,test,python -m tests.benchmarks $(if $(N),--waits "$(N)") $(if $(runs),--runs "$(runs)") $(foreach name,$(only),--only "$(name)"))

fleet:
	$(call in_environment,fleet,python -m tests.fleet $(if $(N),--notebooks "$(N)") $(if $(runs),--runs "$(runs)"))

pictures:
	$(call in_environment,test,python -m tests.pictures)

lint:
	$(call in_environment,test,sh -c 'ruff check . && ruff format --check . && mypy')

format:
	$(call in_environment,test,sh -c 'ruff format . && ruff check --fix .')

clean:
	rm -rf .venv .venv-* .demo .bench .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
