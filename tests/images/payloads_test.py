#!/usr/bin/env python3
"""The payloads that need a GPU, as far as a machine without one can tell: their contract in a dry run, their engines
against stand-ins for the frameworks (stand_ins/), what they refuse, the Dockerfiles of all images, and their example.

usage: payloads_test.py [TEST...]
"""

import ast
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGES = ROOT / "images"
STAND_INS = pathlib.Path(__file__).resolve().parent / "stand_ins"
ON_GPUS = ("vllm", "tensorrt", "pytorch-cuda")
FRAMEWORKS = ("torch", "transformers", "vllm", "tensorrt_llm")
CONFIG = {"model_name": "/models/small", "fp_precision": "fp16", "batch_size": 2, "max_input_tokens": 16,
          "max_output_tokens": 8, "num_input_prompts": 3, "random_seed": 7}


def fill(image, folder):
    """What image's build context is filled with."""
    subprocess.run(["bash", str(IMAGES / image / "context.sh"), str(folder)], check=True, timeout=60)


class Payload:
    """One run of an image's `infer` in a folder of its own."""

    def __init__(self, image, config, *arguments, modules=None, **variables):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="payload-"))
        fill(image, self.folder)
        self.results = self.folder / "results"
        self.results.mkdir()
        (self.folder / "config.yaml").write_text(json.dumps(config))
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(modules or self.forbidden()),
            "CAMPAIGN_CONFIG": str(self.folder / "config.yaml"),
            "CAMPAIGN_RESULTS_DIR": str(self.results),
            "CAMPAIGN_METRICS_FILE": str(self.results / "metrics.jsonl"),
            "CAMPAIGN_EXPERIMENT": "e",
            "CAMPAIGN_WARMUP_PROMPTS": "2",
            **variables,
        }
        command = [sys.executable, str(self.folder / "bin/infer"), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def forbidden(self):
        """Frameworks that cannot be imported, as where they are not installed."""
        folder = self.folder / "forbidden"
        folder.mkdir()
        for name in FRAMEWORKS:
            (folder / f"{name}.py").write_text(f'raise ImportError("{name} must not be imported")\n')
        return folder

    def result(self):
        return json.loads((self.results / "process_0.json").read_text())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)


class Contract(unittest.TestCase):
    def assert_whole(self, payload):
        self.assertEqual((payload.code, payload.err), (0, ""))
        result = payload.result()
        metrics = result["inference_metrics"]
        self.assertEqual((metrics["input_tokens"], metrics["output_tokens"], metrics["total_tokens"]), (48, 24, 72))
        self.assertAlmostEqual(metrics["tokens_per_second"] * metrics["inference_time_sec"], 24)
        self.assertEqual(len(metrics["latency_measurements"]["ttft_ms"]), 3)
        self.assertEqual(len(metrics["latency_measurements"]["itl_ms"]), 3 * 7)
        self.assertEqual(result["warmup_result"]["iterations_completed"], 2)
        self.assertEqual(result["experiment_id"], "e")
        self.assert_metrics(payload.results, metrics)
        marker = json.loads((payload.results / ".completed_0").read_text())
        whole = hashlib.sha256((payload.results / "process_0.json").read_bytes()).hexdigest()
        self.assertEqual((marker["result_hash"], marker["process_index"]), (whole, 0))
        self.assertEqual(sorted(p.name for p in payload.results.iterdir()),
                         [".completed_0", "metrics.jsonl", "process_0.json"])

    def assert_metrics(self, folder, metrics):
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        marks = {line["mark"]: line["mono_ns"] for line in lines
                 if line["kind"] == "phase" and line["name"] == "measure"}
        self.assertGreaterEqual((marks["end"] - marks["begin"]) / 1e9, metrics["inference_time_sec"])
        requests = [line for line in lines if line["kind"] == "request" and line["mono_ns"] >= marks["begin"]]
        self.assertEqual(len(requests), 3)
        self.assertTrue(all(line["mono_ns"] <= marks["end"] for line in requests))
        self.assertTrue(all(0 <= line["ttft_s"] <= line["latency_s"] for line in requests))
        self.assertEqual([line["done"] for line in lines if line["kind"] == "progress"], [2, 3])

    def test_a_dry_run_walks_the_whole_contract_without_the_framework(self):
        for image in ON_GPUS:
            for arguments, variables in ((["--dry-run"], {}), ([], {"CAMPAIGN_DRY_RUN": "1"})):
                with self.subTest(image, by=arguments or variables), Payload(
                        image, {**CONFIG, "backend": image}, *arguments, **variables) as payload:
                    self.assert_whole(payload)
                    self.assertTrue(payload.result()["extended_metrics"]["dry_run"])
                    self.assertEqual(payload.result()["backend_version"], "dry run")
                    self.assertIn(f"{image} dry run", payload.out)

    def test_engines_answer_through_what_their_frameworks_document(self):
        for image, version in (("vllm", "0.11.0-stand-in"), ("tensorrt", "1.2-stand-in"),
                               ("pytorch-cuda", "2.6.0-stand-in")):
            hashes = set()
            for _ in range(2):
                with self.subTest(image), Payload(image, CONFIG, modules=STAND_INS, CUDA_VISIBLE_DEVICES="0") as payload:
                    self.assert_whole(payload)
                    self.assertEqual(payload.result()["backend_version"], version)
                    self.assertNotIn("dry_run", payload.result()["extended_metrics"])
                    self.assertEqual(json.loads((payload.results / ".completed_0").read_text())["gpu_id"], "0")
                    hashes.add(payload.result()["extended_metrics"]["output_hash"])
            self.assertEqual(len(hashes), 1, "the same seed gave other texts")

    def assert_refused(self, image, config, words, *arguments):
        with self.subTest(image, words=words), Payload(image, config, *arguments) as payload:
            self.assertEqual(payload.code, 2, payload.err)
            self.assertEqual(payload.err.count("\n"), 1)
            self.assertIn(words, payload.err)
            self.assertFalse((payload.results / "process_0.json").exists())

    def test_what_cannot_be_run_is_refused_in_one_line_before_the_framework_is_imported(self):
        for image in ON_GPUS:
            missing = {key: value for key, value in CONFIG.items() if key != "fp_precision"}
            self.assert_refused(image, {**CONFIG, "fp_precision": "f7"}, 'fp_precision is "f7"')
            self.assert_refused(image, missing, "fp_precision is missing")
            self.assert_refused(image, {**CONFIG, "batch_size": -2}, "batch_size is -2")
            self.assert_refused(image, {**CONFIG, "backend": "llamacpp"}, f"this is {image}")
            self.assert_refused(image, CONFIG, "usage: infer [--dry-run]", "--dry")

    def test_keys_of_their_own_are_checked(self):
        for image, key, value in (
            ("vllm", "gpu_memory_utilization", 1.5), ("vllm", "tensor_parallel_size", 0),
            ("vllm", "enforce_eager", "yes"), ("vllm", "quantization", 4),
            ("tensorrt", "kv_cache_fraction", 0), ("tensorrt", "tensor_parallel_size", True),
            ("pytorch-cuda", "attention", "fast"),
        ):
            self.assert_refused(image, {**CONFIG, key: value}, f"{key} is {json.dumps(value)}")

    def test_what_fails_otherwise_is_one_line_too(self):
        for image in ON_GPUS:
            with self.subTest(image), Payload(image, CONFIG) as payload:
                self.assertEqual(payload.code, 1)
                self.assertRegex(payload.err, r"^failed: ImportError: \w+ must not be imported\n$")
        with Payload("pytorch-cuda", CONFIG, modules=STAND_INS, NO_DEVICE="1") as payload:
            self.assertEqual((payload.code, payload.err), (1, "failed: RuntimeError: PyTorch sees no CUDA device\n"))


def instructions(dockerfile):
    """(word, rest) of each instruction, continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", "\n".join(line for line in dockerfile.read_text().splitlines()
                                                if not line.startswith("#")))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


class Dockerfiles(unittest.TestCase):
    def setUp(self):
        self.files = {path.parent.name: instructions(path) for path in sorted(IMAGES.glob("*/Dockerfile"))}
        self.assertLessEqual(set(ON_GPUS), set(self.files))

    def all(self, image, word):
        return [rest for found, rest in self.files[image] if found == word]

    def test_the_base_can_be_replaced_and_is_pinned(self):
        for image in self.files:
            with self.subTest(image):
                named = (IMAGES / image / "Dockerfile").read_text().splitlines()[0]
                self.assertRegex(named, r"^# base: (none|host|public|[a-z]+)$")
                self.assertEqual(self.all(image, "FROM"), ["${BASE}" if named != "# base: none" else "scratch"])
                if named != "# base: none":
                    (base,) = self.all(image, "ARG")
                    self.assertRegex(base, r"^BASE=[a-z0-9./-]+:[A-Za-z0-9._-]+$")
                    self.assertNotRegex(base, r":(latest|main|nightly)")

    def test_what_is_copied_is_there(self):
        for image in self.files:
            with self.subTest(image), tempfile.TemporaryDirectory() as folder:
                if image in ON_GPUS or image == "pytorch":
                    fill(image, folder)
                elif (IMAGES / image / "context.sh").exists():
                    continue  # it compiles or downloads: made by build.sh, and run by tests/e2e/payloads.sh
                for rest in self.all(image, "COPY"):
                    for source in rest.split()[:-1]:
                        self.assertTrue((pathlib.Path(folder) / source).exists(), f"COPY {rest}")

    def test_payloads_on_gpus_run_as_anybody_and_by_name(self):
        for image in ON_GPUS:
            with self.subTest(image):
                self.assertEqual(self.all(image, "ENTRYPOINT"), ["[]"], "that of the base would come first")
                self.assertEqual(self.all(image, "CMD"), ['["infer"]'])
                self.assertEqual(self.all(image, "USER"), [], "the engine says who")
                (variables,) = self.all(image, "ENV")
                self.assertIn("PATH=/opt/campaign/bin:${PATH}", variables)
                self.assertTrue(os.access(IMAGES / image / "bin/infer", os.X_OK))

    def test_packages_are_pinned(self):
        for image in self.files:
            for rest in self.all(image, "RUN"):
                for installed in re.findall(r"pip install ([^&|;]*)", rest):
                    names = [word for word in installed.split() if not word.startswith("-")]
                    self.assertTrue(all("==" in name for name in names), f"{image}: {installed}")


class Programs(unittest.TestCase):
    def test_they_are_python_3_10_and_import_only_what_their_image_has(self):
        had = {*sys.stdlib_module_names, "yaml", "contract", "settings", "engine", "model"}
        for path in sorted({*IMAGES.glob("**/*.py"), *IMAGES.glob("*/bin/infer")}):
            with self.subTest(path.relative_to(ROOT)):
                tree = ast.parse(path.read_text(), feature_version=(3, 10))
                names = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
                names += [a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names]
                allowed = had | (set(FRAMEWORKS) if path.name in ("engine.py", "model.py") else set())
                self.assertLessEqual({name.split(".")[0] for name in names}, allowed)

    def test_every_image_has_a_page(self):
        listed = (IMAGES / "README.md").read_text()
        for path in IMAGES.glob("*/Dockerfile"):
            self.assertTrue((path.parent / "README.md").exists(), path.parent.name)
            self.assertIn(f"| `{path.parent.name}` |", listed)


class Example(unittest.TestCase):
    @unittest.skipUnless("CAMPAIGNCTL" in os.environ, "CAMPAIGNCTL is not set: no program to plan with")
    def test_the_one_for_gpus_has_a_plan_with_a_gpu_each_run(self):
        def campaignctl(*words):
            command = [os.environ["CAMPAIGNCTL"], *words, str(ROOT / "examples/gpu-backends/campaign.yaml")]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            without_gpus = "warning: `up` would refuse this here and now: "  # as most machines are
            self.assertTrue(done.stderr == "" or done.stderr.startswith(without_gpus), done.stderr)
            return done.stdout

        runs = json.loads(campaignctl("--json", "plan"))["runs"]
        self.assertEqual(len(runs), 3 * 2 * 6)
        campaignctl("validate")


if __name__ == "__main__":
    unittest.main()
