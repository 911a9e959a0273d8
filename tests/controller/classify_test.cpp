#include "controller/classify.hpp"

#include <gtest/gtest.h>

namespace controller {
namespace {

using campaign::FailureClass;

ProcessEnding exited(int code) { return {.known = true, .exit_code = code}; }

ProcessEnding launched(int code) {
  ProcessEnding ending = exited(code);
  ending.outcome = campaign::Outcome{.exit_code = code};
  return ending;
}

FailureClass class_of(const ProcessEnding& ending, OurStop stop = OurStop::none) {
  return classify(ending, stop).cls;
}

TEST(Classify, OwnStopComesBeforeEverything) {
  ProcessEnding ending = exited(137);
  ending.engine_gap = ending.oom_killed = true;
  EXPECT_EQ(class_of(ending, OurStop::timeout), FailureClass::timeout);
  EXPECT_EQ(class_of(ending, OurStop::stalled), FailureClass::stalled);
  EXPECT_EQ(class_of(ending, OurStop::stopped), FailureClass::interrupted);
  EXPECT_EQ(class_of(launched(0), OurStop::timeout), FailureClass::timeout);
}

TEST(Classify, EngineGapExplainsItsOwnCodesOnly) {
  for (const int code : {137, 143, 255, 0, 1, 139}) {
    ProcessEnding ending = exited(code);
    ending.engine_gap = true;
    const FailureClass expected = code == 137 || code == 143 || code == 255 ? FailureClass::infra
                                  : code == 0                               ? FailureClass::none
                                                                            : FailureClass::payload;
    EXPECT_EQ(class_of(ending), expected) << code;
  }
  for (const int signal : {9, 15, 11}) {
    ProcessEnding ending{.known = true, .signal = signal, .engine_gap = true};
    EXPECT_EQ(class_of(ending), signal == 11 ? FailureClass::payload : FailureClass::infra)
        << signal;
  }
}

TEST(Classify, EngineGapComesBeforeOom) {
  ProcessEnding ending = exited(137);
  ending.engine_gap = ending.oom_killed = true;
  EXPECT_EQ(class_of(ending), FailureClass::infra);
}

TEST(Classify, AStopByOthersIsInfraUnlessTheRunSucceeded) {
  ProcessEnding ending = launched(143);
  ending.outcome->stopped_by = "TERM";
  EXPECT_EQ(class_of(ending), FailureClass::infra);
  EXPECT_EQ(class_of(ending, OurStop::timeout), FailureClass::timeout);
  ending = launched(0);
  ending.outcome->stopped_by = "TERM";
  EXPECT_EQ(class_of(ending), FailureClass::none);
}

TEST(Classify, UnknownIsInfraAndNeverASuccess) {
  EXPECT_EQ(class_of({}), FailureClass::infra);
  EXPECT_EQ(class_of({.exit_code = 0}), FailureClass::infra);
  EXPECT_EQ(classify({.error = "its container is gone"}, OurStop::none).message,
            "its container is gone");
}

TEST(Classify, OomNeedsAFailure) {
  ProcessEnding ending = launched(137);
  ending.oom_killed = true;
  EXPECT_EQ(class_of(ending), FailureClass::oom);
  ending = launched(0);
  ending.oom_killed = true;
  EXPECT_EQ(class_of(ending), FailureClass::none);
  EXPECT_EQ(class_of({.known = true, .signal = 9, .oom_killed = true}), FailureClass::oom);
}

TEST(Classify, CommandThatCouldNotBeExecutedIsConfig) {
  ProcessEnding ending = launched(127);
  ending.outcome->exec_errno = 2;
  ending.outcome->exec_error = "no-such: not found";
  EXPECT_EQ(classify(ending, OurStop::none).cls, FailureClass::config);
  EXPECT_EQ(classify(ending, OurStop::none).message,
            "the command could not be executed: no-such: not found");
  for (const int code : {126, 127}) {
    EXPECT_EQ(class_of({.start_failed = true, .exit_code = code}), FailureClass::config) << code;
    EXPECT_EQ(class_of(exited(code)), FailureClass::config)
        << "the engine's init says so, " << code;
  }
}

TEST(Classify, OtherStartErrorIsInfra) {
  const Classified got =
      classify({.start_failed = true, .exit_code = 128, .error = "no such network"}, OurStop::none);
  EXPECT_EQ(got.cls, FailureClass::infra);
  EXPECT_EQ(got.message, "the container could not be started: no such network");
  EXPECT_EQ(class_of({.start_failed = true}), FailureClass::infra);
}

TEST(Classify, PayloadsOwn127UnderTheLauncherIsThePayloads) {
  EXPECT_EQ(class_of(launched(127)), FailureClass::payload);
  EXPECT_EQ(class_of(launched(126)), FailureClass::payload);
}

TEST(Classify, ExitCodesAndSignalsAreNamed) {
  EXPECT_EQ(classify(launched(3), OurStop::none).message, "exit code 3");
  EXPECT_EQ(classify({.known = true, .signal = 11}, OurStop::none).message,
            "killed by Segmentation fault");
  EXPECT_EQ(class_of(launched(0)), FailureClass::none);
}

TEST(RefineByLog, KnownTextsTurnPayloadIntoGpuOom) {
  EXPECT_EQ(
      refine_by_log(FailureClass::payload, "x\ntorch.OutOfMemoryError: CUDA out of memory.\n"),
      FailureClass::gpu_oom);
  EXPECT_EQ(refine_by_log(FailureClass::payload, "HIP out of memory"), FailureClass::gpu_oom);
  EXPECT_EQ(refine_by_log(FailureClass::payload, "MemoryError"), FailureClass::payload);
  EXPECT_EQ(refine_by_log(FailureClass::timeout, "CUDA out of memory"), FailureClass::timeout);
  EXPECT_EQ(refine_by_log(FailureClass::none, "CUDA out of memory"), FailureClass::none);
}

TEST(Classify, AServerThatWentFirstIsThePayloadsOnlyWhenItExited) {
  ProcessEnding ending = launched(143);
  ending.outcome->stopped_by = "TERM";
  ending.server = ServerEnding{.known = true, .exit_code = 4};
  EXPECT_EQ(class_of(ending), FailureClass::payload);
  EXPECT_EQ(classify(ending, OurStop::none).message, "its server ended with exit code 4");
  ending.server->last_lines = "; its last lines: no memory";
  EXPECT_EQ(classify(ending, OurStop::none).message,
            "its server ended with exit code 4; its last lines: no memory");
  ending.server = ServerEnding{.known = true, .signal = 9};
  EXPECT_EQ(class_of(ending), FailureClass::infra);
  ending.server = ServerEnding{};
  EXPECT_EQ(class_of(ending), FailureClass::infra);
  ending.server = ServerEnding{.known = true, .exit_code = 4};
  ending.engine_gap = true;
  EXPECT_EQ(class_of(ending), FailureClass::infra);
  EXPECT_EQ(class_of(ending, OurStop::timeout), FailureClass::timeout);
}

TEST(Classify, AServerWhoseCommandCouldNotBeExecutedIsConfig) {
  ProcessEnding ending = launched(143);
  ending.server = ServerEnding{
      .known = true, .exit_code = 127, .exec_error = "No such file or directory: nosuchserver"};
  EXPECT_EQ(class_of(ending), FailureClass::config);
  EXPECT_EQ(classify(ending, OurStop::none).message,
            "the command of its server could not be executed: No such file or directory: "
            "nosuchserver");
}

TEST(Classify, TextOfALostGpuIsInfra) {
  const std::string text = "x\nFailed to initialize NVML: Unknown Error\n";
  EXPECT_TRUE(lost_its_gpu(text));
  EXPECT_FALSE(lost_its_gpu("NVML is fine"));
  EXPECT_EQ(refine_by_log(FailureClass::payload, text), FailureClass::infra);
  EXPECT_EQ(refine_by_log(FailureClass::timeout, text), FailureClass::timeout);
}

}  // namespace
}  // namespace controller
