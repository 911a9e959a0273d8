#!/bin/bash
# The payload images keep their contract: results, metrics, exit codes, any uid, no network.
set -uo pipefail

if [ -z "${CAMPAIGNCTL_ENGINE:-}" ] && ! docker version >/dev/null 2>&1; then
  echo "skip payloads # no engine"
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

verdict() {
  local name=$1
  shift
  if "$@"; then echo "ok payloads.$name"; else echo "not ok payloads.$name"; fi
}

# pay IMAGE CONFIG_LINE...: runs `infer` as uid 4321 without network; $work/results, $work/err, $code.
pay() {
  local image=$1
  shift
  rm -rf "${work:?}/results" "${work:?}/home"
  mkdir -m 777 "$work/results" "$work/home"
  printf '%s\n' "$@" >"$work/config.yaml"
  code=0
  timeout 120 docker run --rm --network none --cpus 1 --init --user 4321:4321 -v "$work:/campaign" \
    --label campaignctl.test=payloads -e HOME=/campaign/home -e CAMPAIGN_CONFIG=/campaign/config.yaml \
    -e CAMPAIGN_RESULTS_DIR=/campaign/results -e CAMPAIGN_METRICS_FILE=/campaign/results/metrics.jsonl \
    -e CAMPAIGN_EXPERIMENT=e -e CAMPAIGN_WARMUP_PROMPTS=2 "campaignctl/$image:1" infer >"$work/out" 2>"$work/err" || code=$?
}

result_is_whole() {
  [ "$code" -eq 0 ] && python3 - "$work/results" <<'PY'
import json, sys

result = json.load(open(sys.argv[1] + "/process_0.json"))
metrics = result["inference_metrics"]
assert metrics["input_tokens"] == 3 * 16 and metrics["output_tokens"] == 3 * 8 and metrics["total_tokens"] == 72
assert abs(metrics["tokens_per_second"] * metrics["inference_time_sec"] - 24) < 1e-6
latencies = metrics["latency_measurements"]
assert len(latencies["ttft_ms"]) == 3 and len(latencies["itl_ms"]) == 3 * 7
assert latencies["itl_p50_ms"] <= latencies["itl_p95_ms"] <= latencies["itl_p99_ms"]
assert result["warmup_result"]["iterations_completed"] == 2 and result["experiment_id"] == "e"
lines = [json.loads(line) for line in open(sys.argv[1] + "/metrics.jsonl")]
marks = {line["mark"]: line["mono_ns"] for line in lines if line["kind"] == "phase" and line["name"] == "measure"}
assert (marks["end"] - marks["begin"]) / 1e9 >= metrics["inference_time_sec"]
requests = [line for line in lines if line["kind"] == "request" and line["mono_ns"] > marks["begin"]]
assert len(requests) == 3 and all(line["mono_ns"] < marks["end"] for line in requests)
assert [line["done"] for line in lines if line["kind"] == "progress"] == [2, 3]
PY
}

hash_of() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["extended_metrics"]["output_hash"])' "$work/results/process_0.json"; }

refused() {
  [ "$code" -eq 2 ] && [ "$(wc -l <"$work/err")" -eq 1 ] && grep -qF -- "$1" "$work/err" &&
    [ ! -e "$work/results/process_0.json" ]
}

check_image() {
  local image=$1 precision=$2 first second
  local config=('model_name: "random-11m"' "backend: \"$image\"" 'batch_size: 2' 'max_input_tokens: 16'
    'max_output_tokens: 8' 'num_input_prompts: 3' 'random_seed: 7')
  pay "$image" "${config[@]}" "fp_precision: \"$precision\""
  verdict "$image.leaves_whole_results" result_is_whole
  first=$(hash_of)
  pay "$image" "${config[@]}" "fp_precision: \"$precision\""
  second=$(hash_of)
  verdict "$image.same_seed_gives_same_text" test -n "$first" -a "$first" = "$second"
  pay "$image" "${config[@]}" 'fp_precision: "f7"'
  verdict "$image.refuses_unknown_precision" refused 'fp_precision is "f7"'
  pay "$image" "${config[@]}"
  verdict "$image.refuses_missing_key" refused 'fp_precision is missing'
  pay "$image" "${config[@]/batch_size: 2/batch_size: -2}" "fp_precision: \"$precision\""
  verdict "$image.refuses_negative_number" refused 'batch_size is -2'
  pay "$image" "${config[@]/backend: \"$image\"/backend: \"vllm\"}" "fp_precision: \"$precision\""
  verdict "$image.refuses_another_backend" refused 'backend is "vllm"'
}

check_image llamacpp q8_0
check_image pytorch float32
