// What a file says arrives in the model in the Engine API's terms.
#include "tests/compose/compose_folder.hpp"

namespace compose {
namespace {

TEST(ComposeModel, ShapeOfTheMeasurementProjectLoads) {
  const ComposeFolder folder;
  std::filesystem::copy(TEST_DATA_DIR "/compose/config/seed/compose.yaml", folder / "compose.yaml");
  LoadRequest request = folder.request();
  request.environment["PUID"] = "1000";
  request.environment["PGID"] = "1001";
  const Project project = load_project(request).project;
  ASSERT_EQ(project.services.size(), 3u);
  const Service& pytorch = project.services.at("pytorch");
  EXPECT_TRUE(pytorch.privileged);
  EXPECT_EQ(pytorch.environment.at("PUID"), "1000");
  EXPECT_EQ(pytorch.environment.at("CUDA_VISIBLE_DEVICES"), "0");
  EXPECT_FALSE(pytorch.environment.contains("HF_TOKEN"));
  ASSERT_EQ(pytorch.device_requests.size(), 1u);
  EXPECT_EQ(pytorch.device_requests[0].driver, "nvidia");
  EXPECT_EQ(pytorch.device_requests[0].count, -1);
  EXPECT_EQ(pytorch.device_requests[0].capabilities, (Strings{"compute", "utility"}));
  EXPECT_EQ(pytorch.depends_on.at("base").condition, Condition::completed_successfully);
  EXPECT_EQ(pytorch.healthcheck.interval_ns, 30'000'000'000);
  EXPECT_EQ(pytorch.volumes[0].source, folder / "results");
  EXPECT_TRUE(pytorch.volumes[1].read_only);
  EXPECT_EQ(pytorch.volumes[2].type, MountType::volume);
  EXPECT_EQ(pytorch.build_command,
            "docker build -t " + pytorch.image + " -f " + (folder / "docker/Dockerfile.pytorch") +
                " --target runtime --build-arg BASE_IMAGE=... " + folder.path());
  EXPECT_EQ(project.services.at("vllm").ipc, "host");
  EXPECT_EQ(project.services.at("base").command, Strings{});
  EXPECT_EQ(project.volumes.at("hf-cache").name, "probe-hf-cache");
  EXPECT_EQ(project.disabled_services.at("pytorch-dev"), Strings{"dev"});
  EXPECT_EQ(project.name, "project");
  EXPECT_EQ(project.compose_files, Strings{folder / "compose.yaml"});
}

TEST(ComposeModel, RequiredVariableOfTheProjectSaysWhatToGive) {
  const ComposeFolder folder;
  std::filesystem::copy(TEST_DATA_DIR "/compose/config/seed/compose.yaml", folder / "compose.yaml");
  EXPECT_NE(error_of(folder.request())
                .find("the variable PUID must be set: give the user's id, PUID=$(id -u)"),
            std::string::npos);
}

TEST(ComposeModel, ContainerKeys) {
  const Service a = service_of(R"(
services:
  a:
    image: x:1
    platform: linux/amd64
    command: run "two words"
    entrypoint: []
    environment: {A: 0755, B: null}
    working_dir: /w
    user: "1:2"
    hostname: h
    pull_policy: every_12h
    restart: on-failure:3
    stop_signal: SIGINT
    stop_grace_period: 1m30s
    init: false
    read_only: true
    tty: true
    stdin_open: true
    labels: [a=b]
    logging: {driver: local, options: {max-size: 1m}}
    tmpfs: /run:size=1m
    scale: 3
    shm_size: 1g
    extra_hosts: {db: "::1"}
    annotations: {k: v}
    volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1k, mode: 01777}}]
)");
  EXPECT_EQ(a.command, (Strings{"run", "two words"}));
  EXPECT_EQ(a.entrypoint, Strings{});
  EXPECT_EQ(a.environment, (StringMap{{"A", "493"}}));
  EXPECT_EQ(a.pull_policy.when, PullPolicy::When::every);
  EXPECT_EQ(a.pull_policy.seconds, 43200);
  EXPECT_EQ(a.restart->policy, RestartPolicy::on_failure);
  EXPECT_EQ(a.restart->max_attempts, 3);
  EXPECT_EQ(a.stop_grace_period, 90);
  EXPECT_EQ(a.init, false);
  EXPECT_TRUE(a.read_only && a.tty && a.stdin_open);
  EXPECT_EQ(a.labels, (StringMap{{"a", "b"}}));
  EXPECT_EQ(a.logging.options.at("max-size"), "1m");
  EXPECT_EQ(a.tmpfs, Strings{"/run:size=1m"});
  EXPECT_EQ(a.replicas, 3);
  EXPECT_EQ(a.shm_size, 1073741824);
  EXPECT_EQ(a.extra_hosts, Strings{"db:::1"});
  EXPECT_EQ(a.volumes[0].tmpfs_size, 1024);
  EXPECT_EQ(a.volumes[0].tmpfs_mode, 01777);
  EXPECT_TRUE(a.networks.contains("default"));
}

TEST(ComposeModel, UnsetCommandIsNotAnEmptyOne) {
  EXPECT_EQ(service_of("services: {a: {image: x}}").command, std::nullopt);
  EXPECT_EQ(service_of("services: {a: {image: x, command: }}").command, std::nullopt);
  EXPECT_EQ(service_of("services: {a: {image: x, command: ''}}").command, Strings{});
}

TEST(ComposeModel, LimitsOfEitherPlaceAreOne) {
  const Service a = service_of(R"(
services:
  a:
    image: x
    memswap_limit: "-1"
    pids_limit: 7
    cpuset: "0"
    oom_score_adj: -5
    ulimits: {nofile: 10, core: {soft: 1, hard: 2}}
    blkio_config: {weight: 9, device_read_bps: [{path: /dev/a, rate: 1k}]}
    deploy:
      restart_policy: {condition: any}
      resources:
        limits: {cpus: "0.5", memory: 1g}
        reservations: {memory: 1m, devices: [{capabilities: [gpu], device_ids: [GPU-1]}]}
)");
  EXPECT_EQ(a.limits.cpus, 0.5);
  EXPECT_EQ(a.limits.memory, 1073741824);
  EXPECT_EQ(a.limits.memory_reservation, 1048576);
  EXPECT_EQ(a.limits.memory_swap, -1);
  EXPECT_EQ(a.limits.pids, 7);
  EXPECT_EQ(a.limits.oom_score_adj, -5);
  EXPECT_EQ(a.ulimits.at("nofile").hard, 10);
  EXPECT_EQ(a.ulimits.at("core").soft, 1);
  EXPECT_EQ(a.limits.blkio.weight, 9);
  EXPECT_EQ(a.limits.blkio.read_bps[0].rate, 1024);
  EXPECT_EQ(a.restart->policy, RestartPolicy::always);
  EXPECT_EQ(a.device_requests[0].device_ids, Strings{"GPU-1"});
  EXPECT_EQ(a.device_requests[0].count, std::nullopt);
}

TEST(ComposeModel, GpusAskForGpusAndCdiNamesGoTheirOwnWay) {
  const Service a = service_of(
      "services: {a: {image: x, gpus: all, devices: ['nvidia.com/gpu=0', '/dev/null:/dev/n:r']}}");
  ASSERT_EQ(a.device_requests.size(), 2u);
  EXPECT_EQ(a.device_requests[0].driver, "cdi");
  EXPECT_EQ(a.device_requests[0].device_ids, Strings{"nvidia.com/gpu=0"});
  EXPECT_EQ(a.device_requests[1].count, -1);
  EXPECT_EQ(a.device_requests[1].capabilities, Strings{"gpu"});
  ASSERT_EQ(a.devices.size(), 1u);
  EXPECT_EQ(a.devices[0].permissions, "r");
}

TEST(ComposeModel, PortRangesAreExpanded) {
  const Service a = service_of(
      "services: {a: {image: x, ports: ['127.0.0.1:8000-8001:80-81/udp', '9000-9005:90', 53]}}");
  ASSERT_EQ(a.ports.size(), 4u);
  EXPECT_EQ(a.ports[1].host_ip, "127.0.0.1");
  EXPECT_EQ(a.ports[1].published, "8001");
  EXPECT_EQ(a.ports[1].target, 81);
  EXPECT_EQ(a.ports[1].protocol, "udp");
  EXPECT_EQ(a.ports[2].published, "9000-9005");
  EXPECT_EQ(a.ports[3].published, "");
}

TEST(ComposeModel, MountsBecomeAbsolute) {
  const Service a = service_of(
      "services: {a: {image: x, volumes: ['~/h:/h', './r:/r:ro,rslave', '/only', "
      "{type: bind, source: /b, target: /b, bind: {create_host_path: false}}]}}");
  EXPECT_EQ(a.volumes[0].source, "/home/me/h");
  EXPECT_TRUE(a.volumes[1].source.starts_with("/") && a.volumes[1].source.ends_with("/project/r"));
  EXPECT_EQ(a.volumes[1].propagation, "rslave");
  EXPECT_EQ(a.volumes[2].type, MountType::volume);
  EXPECT_EQ(a.volumes[2].source, "");
  EXPECT_TRUE(a.volumes[0].create_host_path);
  EXPECT_FALSE(a.volumes[3].create_host_path);
}

TEST(ComposeModel, SharedNamespacesAndLinksAreDependencies) {
  const Project project = loaded(
      "services: {a: {image: x, network_mode: 'service:b', links: ['c:cc'], volumes_from: ['d:ro', "
      "'container:out']}, b: {image: x}, c: {image: x}, d: {image: x}}");
  const Service& a = project.services.at("a");
  EXPECT_EQ(a.depends_on.size(), 3u);
  EXPECT_TRUE(a.depends_on.at("b").restart);
  EXPECT_FALSE(a.depends_on.at("d").restart);
  EXPECT_EQ(a.links[0].alias, "cc");
  EXPECT_EQ(a.volumes_from[0].service, "d");
  EXPECT_TRUE(a.volumes_from[0].read_only);
  EXPECT_EQ(a.volumes_from[1].container, "out");
  EXPECT_TRUE(a.networks.empty());
}

TEST(ComposeModel, SecretsAndConfigsHaveTheirTargetsAndContents) {
  const Project project = loaded(
      "services: {a: {image: x, secrets: [s, {source: e, target: rel, mode: 0400}], configs: "
      "[c]}}\n"
      "secrets: {s: {file: ./s}, e: {environment: TOKEN}}\nconfigs: {c: {content: 'a$$b'}}\n",
      {{"TOKEN", "t0p"}});
  const Service& a = project.services.at("a");
  EXPECT_EQ(a.secrets[0].target, "/run/secrets/s");
  EXPECT_EQ(a.secrets[1].target, "/run/secrets/rel");
  EXPECT_EQ(a.secrets[1].mode, 0400u);
  EXPECT_EQ(a.configs[0].target, "/c");
  EXPECT_EQ(project.secrets.at("e").content, "t0p");
  EXPECT_TRUE(project.secrets.at("s").file.ends_with("/project/s"));
  EXPECT_EQ(project.configs.at("c").content, "a$b");
}

TEST(ComposeModel, HealthCheckMayBeOff) {
  EXPECT_TRUE(
      service_of("services: {a: {image: x, healthcheck: {disable: true}}}").healthcheck.disabled);
  const HealthCheck none =
      service_of("services: {a: {image: x, healthcheck: {test: [NONE]}}}").healthcheck;
  EXPECT_TRUE(none.disabled);
  EXPECT_EQ(none.test, Strings{});
}

TEST(ComposeModel, SecurityProfileIsReadIn) {
  const ComposeFolder folder;
  folder.write("profile.json", "{}");
  folder.write("compose.yaml",
               "services: {a: {image: x, security_opt: ['seccomp:profile.json', 'label:user:u']}}");
  EXPECT_EQ(load_project(folder.request()).project.services.at("a").security_opt,
            (Strings{"seccomp={}", "label=user:u"}));
}

TEST(ComposeModel, IdentityIsThatOfTheContainer) {
  const auto identity = [](const std::string& more) {
    return loaded("services: {a: {image: x" + more + "}, b: {image: x}}").services.at("a").identity;
  };
  for (const char* aside : {", depends_on: [b]", ", scale: 2", ", pull_policy: always",
                            ", x-note: 1", ", deploy: {replicas: 2}", ", build: ."})
    EXPECT_EQ(identity(aside), identity("")) << aside;
  for (const char* other : {", command: [a]", ", environment: [A=1]", ", mem_limit: 1g",
                            ", deploy: {resources: {limits: {memory: 1g}}}"})
    EXPECT_NE(identity(other), identity("")) << other;
  EXPECT_EQ(identity(", environment: {B: 1, A: 2}"), identity(", environment: [A=2, B=1]"));
}

TEST(ComposeModel, CanonicalFormOfItselfIsItselfAlsoWithoutAnyBuildArgument) {
  const ComposeFolder folder;
  LoadRequest request = folder.request();
  request.format = Format::yaml;
  folder.write("compose.yaml", "services: {a: {image: x, build: {context: ., args: [UNSET]}}}\n");
  const std::string once = load_project(request).canonical;
  EXPECT_EQ(once.find("args"), std::string::npos) << once;
  folder.write("compose.yaml", once);
  EXPECT_EQ(load_project(request).canonical, once);
}

TEST(ComposeModel, KeyOfAListIsAKeyLikeAnyOther) {
  const ComposeFolder folder;
  for (const std::string& key : {std::string("A\rB"), std::string(501, 'k')}) {
    folder.write("compose.yaml", "services: {a: {image: x, environment: [" + key + "=1]}}\n");
    EXPECT_THROW(load_project(folder.request()), ComposeError) << key;
  }
}

TEST(ComposeModel, UnusedResourcesAreLeftOut) {
  const Project project = loaded(
      "services: {a: {image: x, network_mode: none}}\nnetworks: {n: }\nvolumes: {v: }\n"
      "secrets: {s: {file: x}}\n");
  EXPECT_TRUE(project.networks.empty() && project.volumes.empty() && project.secrets.empty());
}

}  // namespace
}  // namespace compose
