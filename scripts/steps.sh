# shellcheck shell=bash
# Steps of scripts/test and scripts/check: one line and a time each, output only of one that fails.
# Sourced after lib.sh.

steps_log=build/steps # a log per step stays here until the next run
mkdir -p "$steps_log"
rm -f "$steps_log"/*.log

tests_passed=0  # summed over the test programs
tests_failed=0  # the same, plus one for each step that failed without naming a test
tests_skipped=0 # of them not run, for want of something; not among those that passed
running=        # process id of the step under way
seconds_max=${seconds_max:-5400} # all steps together; what starts later fails at once

stop_running() {
  trap - INT TERM
  if [[ -n $running ]]; then
    kill -TERM "$running" 2>/dev/null || true
    wait "$running" || true
  fi
  say "stopped"
  exit 130
}
trap stop_running INT TERM

# Runs COMMAND without input, for at most MINUTES; returns whether it succeeded. COMMAND may be an
# exported function. A failure is counted, its output is printed, and the caller goes on.
#   step NAME MINUTES COMMAND ARGS...
step() {
  local name=$1 limit=$(($2 * 60)) start=$SECONDS status=0 log passed=0 failed=0 skipped=0
  if ((limit > seconds_max - SECONDS)); then limit=$((seconds_max - SECONDS)); fi
  if ((limit < 1)); then limit=1; fi
  shift 2
  log=$steps_log/$(tr -cs 'a-z0-9\n' '_' <<<"${name,,}").log
  # In a process group of its own (timeout makes it), so that nothing outlives the step; in the
  # background, so that a Ctrl-C is seen at once. A fresh bash: set -e holds in the functions.
  # shellcheck disable=SC2016
  timeout --kill-after=30 "$limit" bash -euo pipefail -c '"$@"' step "$@" \
    >"$log" 2>&1 </dev/null &
  running=$!
  wait "$running" || status=$?
  running=

  if read -r passed failed skipped < <(count_tests "$log"); then
    tests_passed=$((tests_passed + passed))
    tests_failed=$((tests_failed + failed))
    tests_skipped=$((tests_skipped + skipped))
    if ((failed > 0 && status == 0)); then status=1; fi
    name+=": $passed passed, $failed failed"
    if ((skipped > 0)); then name+=", $skipped skipped"; fi
  elif ${must_name_tests:-false}; then
    name+=": it named no test"
    status=1
  fi
  if ((status == 0)); then
    printf '  ok  %5ds  %s\n' $((SECONDS - start)) "$name"
    return 0
  fi
  if ((failed == 0)); then tests_failed=$((tests_failed + 1)); fi
  if ((status == 124 || status == 137)); then name+=" (ended after $limit s)"; fi
  printf 'FAIL  %5ds  %s\n' $((SECONDS - start)) "$name"
  show_failure "$log"
  return 1
}

# What a log says of a failure: first the tests that failed, each with what it printed, since a reader
# of a long report may see its beginning only; then the rest without what passed.
show_failure() { # LOG
  {
    awk '
      /^FAILED +|^ +in +[a-z_]+[.]/ { failed = 1; print; next }
      failed && /^ / { print; next }
      { failed = 0 }
      /^ *[0-9]+\/[0-9]+ Test .*[*][*][*]|^\[  FAILED  \]/ { print }' "$1" | head -n 1000
    grep -vE '^ok +|^ *Start +[0-9]+: | +Passed +[0-9.]+ sec *$' "$1" | tail -n 2000
  } | sed 's/^/      | /' || true
}

# A step whose output must name its tests: one that ran none has failed.
test_step() {
  local must_name_tests=true
  step "$@"
}

# The tests that a log counts, "PASSED FAILED SKIPPED"; fails where it counts none. Reads ctest's
# "98% tests passed, 1 tests failed out of 50" and a last line "N passed, N failed[, N skipped]".
count_tests() {
  awk '
    /^[0-9]+% tests passed, [0-9]+ tests? failed out of [0-9]+$/ {
      failed = $4; passed = $NF - $4; skipped = 0; found = 1
    }
    /^The following tests did not run:$/ { listed = 1 }
    listed && / \(Skipped\)$/ { ++skipped; --passed }
    /^([A-Za-z0-9_-]+: )?[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ {
      sub(/^[A-Za-z0-9_-]+: /, ""); passed = $1; failed = $3; skipped = NF > 4 ? $5 : 0; found = 1
    }
    END { if (!found) exit 1; print passed + 0, failed + 0, skipped + 0 }' "$1"
}

# The last line, and whether all is well.
finish() {
  if ((tests_passed == 0 && tests_failed == 0)); then tests_failed=1; fi
  if ((tests_skipped > 0)); then say "skipped: $tests_skipped; the logs in build/steps show them"; fi
  printf '%d passed, %d failed\n' "$tests_passed" "$tests_failed"
  ((tests_failed == 0))
}

# Steps that scripts/test and scripts/check have in common.
list_sources() { # PATTERN...: the project's own files
  local names=(-name "$1")
  shift
  while (($# > 0)); do
    names+=(-o -name "$1")
    shift
  done
  find domain eventstore projections replay api app tests benchmarks -type f \
    \( "${names[@]}" \) -not -path '*/node_modules/*' 2>/dev/null | sort
}
check_format() { list_sources '*.h' '*.cc' | xargs clang-format-19 --dry-run -Werror; }
check_scripts() { # every shell script, by its first line
  grep -rIlE '^#!.*\b(ba)?sh$|^# shellcheck shell=' scripts .ci tests --exclude-dir=node_modules |
    sort | xargs shellcheck
}
configure() { cmake --preset "$1"; }
build() { cmake --build --preset "$1" -j "$jobs"; }
run_ctest() { ctest --preset "$1" --timeout 300; }

# Whole test programs of a preset, each in one process: PRESET PROGRAM[:FILTER]...
# Ends with the count that count_tests reads.
run_programs() {
  local preset=$1 passed=0 failed=0 skipped=0 program filter report status
  shift
  for program in "$@"; do
    filter='*'
    if [[ $program == *:* ]]; then filter=${program#*:} program=${program%%:*}; fi
    report=build/$preset/$program.xml
    rm -f "$report"
    # A finding of the sanitizer ends the program: then its report is missing. Leaks are found when
    # the report is there already.
    status=0
    "build/$preset/$program" --gtest_brief=1 --gtest_filter="$filter" \
      --gtest_output="xml:$report" || status=$?
    if [[ ! -f $report ]]; then
      echo "$program ended without a report"
      failed=$((failed + 1))
      continue
    fi
    local counts unrun
    unrun=$(grep -c 'result="skipped"' "$report" || true)
    counts=$(sed -n 's/.*<testsuites tests="\([0-9]*\)" failures="\([0-9]*\)".*/\1 \2/p' "$report")
    passed=$((passed + ${counts% *} - ${counts#* } - unrun))
    skipped=$((skipped + unrun))
    failed=$((failed + ${counts#* }))
    if ((status != 0 && ${counts#* } == 0)); then
      echo "$program ended with status $status"
      failed=$((failed + 1))
    fi
  done
  echo "$passed passed, $failed failed, $skipped skipped"
  ((failed == 0 && passed > 0))
}
build_programs() { # PRESET PROGRAM[:FILTER]...
  local preset=$1
  shift
  cmake --build --preset "$preset" -j "$jobs" --target "${@%%:*}"
}
export -f list_sources check_format check_scripts configure build run_ctest
export -f run_programs build_programs
export jobs
