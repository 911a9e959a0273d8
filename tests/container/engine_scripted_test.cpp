#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "tests/support/container/scripted_session.hpp"

namespace container::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Negotiation, SpeaksTheLowerOfBothVersions) {
  for (const auto& [offered, spoken] : std::map<std::string, std::string>{
           {"1.40", "1.40"}, {"1.47", "1.47"}, {"1.55", "1.55"}, {"1.70", "1.55"}}) {
    const ScriptedEngine server([&offered](const auto& request) {
      return is_ping(request) ? pong(offered) : answer(200, "{}");
    });
    Session engine(server);
    EXPECT_EQ(engine.run(engine->info()).api_version, spoken);
    EXPECT_THAT(server.lines(), ElementsAre("GET /v" + spoken + "/info"));
  }
}

TEST(Negotiation, TooOldOrNoEngineAtAllIsNamedWithTheRemedy) {
  for (const char* version : {"1.39", "1.12", "2.0", "nonsense"}) {
    const ScriptedEngine server([version](const auto&) { return pong(version); });
    Session engine(server);
    const auto error = engine.refusal(engine->info());
    EXPECT_EQ(error.status, 400);
    EXPECT_THAT(error.what(), HasSubstr("needed is 1.40"));
  }
  const ScriptedEngine server([](const auto&) { return answer(200, "hello"); });
  Session engine(server);
  EXPECT_THAT(engine.refusal(engine->info()).what(), HasSubstr("does not say which API"));
}

TEST(Negotiation, FallsBackToGetWhereHeadIsRefused) {
  const ScriptedEngine server([](const ScriptedRequest& request) {
    if (request.method == "HEAD")
      return raw("HTTP/1.1 405 No\r\nContent-Length: 9\r\n\r\n", Then::keep);
    return is_ping(request) ? pong("1.41") : answer(200, "{}");
  });
  Session engine(server);
  EXPECT_EQ(engine.run(engine->info()).api_version, "1.41");
}

TEST(Negotiation, IsDoneAgainAfterAReconnect) {
  std::atomic<bool> upgraded = false;
  ScriptedEngine server([&](const ScriptedRequest& request) {
    return is_ping(request) ? pong(upgraded ? "1.52" : "1.41") : answer(200, running);
  });
  Session engine(server);
  engine.run(engine->inspect("x"));
  upgraded = true;
  server.close_connections();
  engine.run(engine->inspect("x"));
  EXPECT_THAT(server.lines(),
              ElementsAre("GET /v1.41/containers/x/json", "GET /v1.52/containers/x/json"));
}

TEST(Negotiation, IsDoneAgainOnANewConnectionWhereThoseThereAreToBeLeft) {
  const ScriptedEngine server(after_ping([](const auto&) { return answer(200, running); }));
  Session engine(server);
  engine.run(engine->inspect("x"));
  engine.run(engine->inspect("x"));
  EXPECT_EQ(server.requests().back().connection, 1);
  engine->renew_connections();
  engine.run(engine->inspect("x"));
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 5u);
  EXPECT_TRUE(is_ping(requests[3]));
  EXPECT_EQ(requests[3].connection, 2);
  EXPECT_EQ(requests[4].connection, 2);
}

TEST(Negotiation, IsDoneAgainWhenTheEngineRefusesTheVersion) {
  int pings = 0;
  const ScriptedEngine server([&](const ScriptedRequest& request) {
    if (is_ping(request)) return pong(++pings == 1 ? "1.51" : "1.41");
    if (asks(request, "1.51"))
      return answer(
          400,
          R"({"message":"client version 1.51 is too new. Maximum supported API version is 1.41"})");
    return answer(200, running);
  });
  Session engine(server);
  EXPECT_EQ(engine.run(engine->inspect("x")).id, "x");
  EXPECT_EQ(server.lines().size(), 2u);
}

TEST(Negotiation, AnEngineThatRefusesItsOwnVersionIsReportedOnce) {
  const ScriptedEngine server(after_ping([](const auto&) {
    return answer(400, "client version 1.41 is too old. Minimum supported API version is 1.60",
                  {"Content-Type: text/plain"});
  }));
  Session engine(server);
  EXPECT_THAT(engine.refusal(engine->inspect("x")).what(),
              HasSubstr("Minimum supported API version is 1.60"));
  EXPECT_EQ(server.lines().size(), 2u);
}

TEST(Connections, ShortRequestsShareOne) {
  const ScriptedEngine server(after_ping([](const auto&) { return answer(200, running); }));
  Session engine(server);
  for (int i = 0; i < 20; ++i) engine.run(engine->inspect("x"));
  for (const auto& request : server.requests()) EXPECT_EQ(request.connection, 1);
  EXPECT_EQ(server.requests().size(), 21u);
}

TEST(Connections, AnIdleOneThatTheEngineClosedIsReplacedUnseen) {
  ScriptedEngine server(after_ping([](const ScriptedRequest& request) {
    return asks(request, "create") ? answer(201, R"({"Id":"new","Warnings":[]})")
                                   : answer(200, running);
  }));
  Session engine(server);
  ContainerSpec spec;
  engine.run(engine->inspect("x"));
  server.close_connections();
  EXPECT_EQ(engine.run(engine->create(spec)), "new");
  server.close_connections();
  EXPECT_EQ(engine.run(engine->inspect("x")).id, "x");
}

TEST(Connections, CutAfterTheRequestRepeatsWhatMayBeRepeatedAndNothingElse) {
  int drops = 0;
  const ScriptedEngine server(after_ping([&](const ScriptedRequest& request) {
    if (request.connection == 1 && drops++ == 0) return raw("", Then::close);
    return asks(request, "create") ? answer(201, R"({"Id":"new"})") : answer(204, "");
  }));
  {
    Session engine(server);
    EXPECT_NO_THROW(engine.run(engine->start("x")));
    EXPECT_THAT(server.lines(),
                ElementsAre("POST /v1.41/containers/x/start", "POST /v1.41/containers/x/start"));
  }
  for (const bool create : {true, false}) {
    const ScriptedEngine other(after_ping([](const auto&) { return raw("", Then::close); }));
    Session engine(other);
    ContainerSpec spec;
    spec.name = "n";
    const auto error =
        create ? engine.refusal(engine->create(spec)) : engine.refusal(engine->kill("x", "TERM"));
    EXPECT_TRUE(error.unreachable());
    EXPECT_EQ(other.lines().size(), 1u);
  }
}

TEST(Connections, AnEngineThatAlwaysCutsIsGivenUpAfterTheSecondTry) {
  const ScriptedEngine server(after_ping([](const auto&) { return raw("", Then::close); }));
  Session engine(server);
  EXPECT_TRUE(engine.refusal(engine->inspect("x")).unreachable());
  EXPECT_EQ(server.lines().size(), 2u);
}

TEST(Connections, ASlowAnswerIsGivenUpInTimeAndNotRepeated) {
  const ScriptedEngine server(after_ping([](const auto&) { return raw("", Then::hold); }));
  Session engine(server);
  const auto error = engine.refusal(engine->inspect("x"));
  EXPECT_TRUE(error.unreachable());
  EXPECT_THAT(error.what(), HasSubstr("no answer within 0.3 s"));
  EXPECT_EQ(server.lines().size(), 1u);
}

TEST(Connections, AnAnswerThatStopsHalfwayIsGivenUpInTime) {
  const ScriptedEngine server(after_ping([](const auto&) {
    return raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", Then::hold);
  }));
  Session engine(server);
  EXPECT_TRUE(engine.refusal(engine->inspect("x")).unreachable());
}

TEST(Connections, AnAnswerCutHalfwayIsNoAnswer) {
  const ScriptedEngine server(after_ping([](const auto&) {
    return raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", Then::close);
  }));
  Session engine(server);
  EXPECT_TRUE(engine.refusal(engine->inspect("x")).unreachable());
}

TEST(Connections, ASlowRequestHoldsUpNoOther) {
  const ScriptedEngine server(after_ping([](const ScriptedRequest& request) {
    return asks(request, "/kill") ? raw("", Then::hold) : answer(200, running);
  }));
  Session engine(server);
  engine.run(engine->inspect("x"));
  bool killed = false;
  const std::string id = "x", signal = "TERM";
  boost::asio::co_spawn(engine.loop().io(), engine->kill(id, signal),
                        [&](std::exception_ptr) { killed = true; });
  for (int i = 0; i < 5; ++i) EXPECT_EQ(engine.run(engine->inspect("x")).id, "x");
  EXPECT_FALSE(killed);
  engine.run([](bool& done) -> Task<> {
    while (!done) co_await sleep_for(0.01);
  }(killed));
}

TEST(Connections, NothingThereIsStatusZeroWithThePlace) {
  for (const char* url :
       {"unix:///nonexistent/engine.sock", "tcp://127.0.0.1:1", "tcp://localhost:1"}) {
    Session engine(parse_endpoint(url));
    const auto error = engine.refusal(engine->info());
    EXPECT_TRUE(error.unreachable());
    EXPECT_THAT(error.what(), HasSubstr(url));
  }
}

TEST(Connections, SomethingThatIsNoHttpIsStatusZero) {
  const ScriptedEngine server(
      [](const auto&) { return raw("SSH-2.0-OpenSSH_9.2\r\n\r\n", Then::close); });
  Session engine(server);
  EXPECT_TRUE(engine.refusal(engine->info()).unreachable());
}

TEST(Connections, TcpWorksTheSame) {
  ScriptedEngine server(after_ping([](const auto&) { return answer(200, running); }),
                        ScriptedEngine::Transport::tcp);
  Session engine(server);
  EXPECT_EQ(engine.run(engine->inspect("x")).id, "x");
  server.close_connections();
  EXPECT_EQ(engine.run(engine->inspect("x")).id, "x");
}

TEST(Connections, WaitingDoesNotTurnTheLoop) {
  const ScriptedEngine server(after_ping([](const ScriptedRequest& request) {
    if (asks(request, "/wait"))
      return raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Then::hold);
    return answer(200, running);
  }));
  Session engine(server);
  const auto wait = engine.run(engine->wait("x", WaitCondition::not_running));
  const auto before = engine.loop().turns();
  EXPECT_FALSE(engine.run(with_timeout(wait->result(), 0.2)).has_value());
  EXPECT_LT(engine.loop().turns() - before, 30u);
}

TEST(Errors, ArriveWithStatusWordsAndSubject) {
  const ScriptedEngine server(after_ping([](const ScriptedRequest& request) {
    if (asks(request, "plain"))
      return answer(404, "page not found\n", {"Content-Type: text/plain"});
    return answer(500, R"({"message":"driver failed: address already in use"})");
  }));
  Session engine(server);
  const auto plain = engine.refusal(engine->inspect("plain"));
  EXPECT_TRUE(plain.not_found());
  EXPECT_THAT(plain.what(), HasSubstr("inspect of plain: page not found"));
  EXPECT_EQ(engine.refusal(engine->start("x")).status, 500);
}

TEST(Errors, PodmansFiveHundredForAConflictIsAConflictAndDockersIsNot) {
  const auto conflicts = [](const ScriptedRequest& request) {
    if (asks(request, "create"))
      return answer(
          500,
          R"({"cause":"that name is already in use","message":"the container name \"n\" is already in use"})");
    if (asks(request, "/start"))
      return answer(500, R"({"message":"bind: address already in use"})");
    return answer(500, R"({"message":"cannot remove container: container state improper"})");
  };
  const ScriptedEngine podman(after_ping(conflicts, {"Libpod-Api-Version: 4.3.1"}));
  const ScriptedEngine docker(after_ping(conflicts));
  Session from_podman(podman), from_docker(docker);
  ContainerSpec spec;
  EXPECT_TRUE(from_podman.refusal(from_podman->create(spec)).conflict());
  EXPECT_TRUE(from_podman.refusal(from_podman->remove("x", false)).conflict());
  EXPECT_EQ(from_podman.refusal(from_podman->start("x")).status, 500);
  EXPECT_EQ(from_docker.refusal(from_docker->create(spec)).status, 500);
}

TEST(Errors, AnAnswerThatIsNoJsonIsSaidSo) {
  const ScriptedEngine server(
      after_ping([](const auto&) { return answer(200, "<html>proxy</html>"); }));
  Session engine(server);
  EXPECT_THAT(engine.refusal(engine->inspect("x")).what(), HasSubstr("<html>proxy</html>"));
}

TEST(Verbs, AlreadyStartedIsStarted) {
  const ScriptedEngine server(
      after_ping([](const auto&) { return raw("HTTP/1.1 304 Not Modified\r\n\r\n", Then::keep); }));
  Session engine(server);
  EXPECT_NO_THROW(engine.run(engine->start("x")));
}

TEST(Verbs, KillConflictIsForgivenOnlyWhereNothingRuns) {
  for (const char* state : {ended, fresh, running}) {
    const ScriptedEngine server(after_ping([state](const ScriptedRequest& request) {
      return asks(request, "/kill") ? answer(409, R"({"message":"conflict"})") : answer(200, state);
    }));
    Session engine(server);
    if (state == running)
      EXPECT_TRUE(engine.refusal(engine->kill("x", "TERM")).conflict());
    else
      EXPECT_NO_THROW(engine.run(engine->kill("x", "TERM")));
  }
}

TEST(Verbs, RemovalInProgressIsFollowedToItsEnd) {
  int looks = 0;
  const ScriptedEngine server(after_ping([&](const ScriptedRequest& request) {
    if (request.method == "DELETE")
      return answer(409, R"({"message":"removal of container x is already in progress"})");
    return ++looks < 3 ? answer(200, R"({"State":{"Status":"removing"}})")
                       : answer(404, R"({"message":"No such container"})");
  }));
  Session engine(server);
  engine.run(engine->remove("x", true));
  EXPECT_EQ(looks, 3);
  EXPECT_EQ(server.lines().front(), "DELETE /v1.41/containers/x?v=1&force=1");
}

TEST(Verbs, RemovalThatNeverEndsIsGivenUp) {
  const ScriptedEngine server(after_ping([](const ScriptedRequest& request) {
    return request.method == "DELETE"
               ? answer(409, R"({"message":"removal of container x is already in progress"})")
               : answer(200, R"({"State":{"Status":"dead"}})");
  }));
  Session engine(server);
  EXPECT_TRUE(engine.refusal(engine->remove("x", true)).conflict());
}

TEST(Verbs, RemovalThatWasCarriedOutIsNotAskedAboutAgain) {
  const ScriptedEngine server(
      after_ping([](const auto&) { return raw("HTTP/1.1 204 No Content\r\n\r\n", Then::keep); }));
  Session engine(server);
  engine.run(engine->remove("x", false));
  EXPECT_THAT(server.lines(), ElementsAre("DELETE /v1.41/containers/x?v=1"));
}

TEST(Verbs, UnpauseAsksForIt) {
  const ScriptedEngine server(
      after_ping([](const auto&) { return raw("HTTP/1.1 204 No Content\r\n\r\n", Then::keep); }));
  Session engine(server);
  engine.run(engine->unpause("x"));
  EXPECT_THAT(server.lines(), ElementsAre("POST /v1.41/containers/x/unpause"));
}

TEST(Verbs, NamesAreEscapedAndEmptyOnesRefused) {
  const ScriptedEngine server(after_ping([](const auto&) { return answer(200, running); }));
  Session engine(server);
  engine.run(engine->inspect("a/../b c"));
  EXPECT_THAT(server.lines(), ElementsAre("GET /v1.41/containers/a%2F..%2Fb%20c/json"));
  EXPECT_EQ(engine.refusal(engine->inspect("")).status, 400);
}

TEST(Verbs, LogsOfATerminalAreNotFramed) {
  const ScriptedEngine server(after_ping([](const ScriptedRequest& request) {
    if (asks(request, "/logs")) return chunked(200, {"plain\r\n", "text"});
    return answer(200, R"({"Config":{"Tty":true}})");
  }));
  Session engine(server);
  EXPECT_EQ(engine.run(engine->logs("x", 10)), "plain\r\ntext");
}

TEST(Verbs, AnEngineThatTakesOneNetworkIsConnectedToTheRest) {
  const ScriptedEngine server(after_ping([](const ScriptedRequest& request) {
    return asks(request, "/create") ? answer(201, R"({"Id":"c"})") : answer(200, "");
  }));
  Session engine(server);
  ContainerSpec spec;
  spec.name = "n";
  spec.networks = {{.network = "a"}, {.network = "b", .aliases = {"x"}}, {.network = "c"}};
  EXPECT_EQ(engine.run(engine->create(spec)), "c");
  EXPECT_THAT(server.lines(),
              ElementsAre("POST /v1.41/containers/create?name=n", "POST /v1.41/networks/b/connect",
                          "POST /v1.41/networks/c/connect"));
  EXPECT_EQ(server.requests()[2].body, R"({"Container":"c","EndpointConfig":{"Aliases":["x"]}})");
}

TEST(Verbs, AContainerThatCannotBeConnectedIsRemovedAgain) {
  const ScriptedEngine server(after_ping([](const ScriptedRequest& request) {
    if (asks(request, "/create")) return answer(201, R"({"Id":"c"})");
    if (asks(request, "/connect")) return answer(403, R"({"message":"no"})");
    return request.method == "DELETE" ? raw("HTTP/1.1 204 No Content\r\n\r\n", Then::keep)
                                      : answer(404, "");
  }));
  Session engine(server);
  ContainerSpec spec;
  spec.name = "n";
  spec.networks = {{.network = "a"}, {.network = "b"}};
  EXPECT_EQ(engine.refusal(engine->create(spec)).status, 403);
  EXPECT_THAT(server.lines(), Contains("DELETE /v1.41/containers/c?v=1&force=1"));
}

TEST(Verbs, AnOptionThatTheEngineWouldIgnoreIsNotSent) {
  const ScriptedEngine server(after_ping([](const auto&) { return answer(201, R"({"Id":"c"})"); }));
  Session engine(server);
  ContainerSpec spec;
  spec.annotations = {{"a", "b"}};
  EXPECT_THAT(engine.refusal(engine->create(spec)).what(), HasSubstr("annotations needs"));
  EXPECT_TRUE(server.lines().empty());
}

TEST(Verbs, WhatIsGoneAlreadyIsRemoved) {
  const ScriptedEngine server(
      after_ping([](const auto&) { return answer(404, R"({"message":"no such thing"})"); }));
  Session engine(server);
  EXPECT_NO_THROW(engine.run(engine->networks().remove("n")));
  EXPECT_NO_THROW(engine.run(engine->volumes().remove("v")));
  EXPECT_TRUE(engine.refusal(engine->execs().inspect("e")).not_found());
}

TEST(Verbs, ASecondStartOfAnExecIsNotRepeatedByUs) {
  const ScriptedEngine server(after_ping([](const auto&) { return raw("", Then::close); }));
  Session engine(server);
  EXPECT_TRUE(engine.refusal(engine->execs().start_detached("e")).unreachable());
  EXPECT_EQ(server.lines().size(), 1u);
}

}  // namespace
}  // namespace container::test
