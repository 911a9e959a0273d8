#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/container/real_engine.hpp"
#include "tests/support/container/scripted_session.hpp"

namespace container::test {
namespace {

using ::testing::HasSubstr;

class WaitTest : public ::testing::Test {
 protected:
  static WaitResult result_of(const ScriptedReply& reply) {
    const ScriptedEngine server(after_ping([&reply](const ScriptedRequest& request) {
      return asks(request, "/wait") ? reply : answer(200, running);
    }));
    Session engine(server);
    const auto wait = engine.run(engine->wait("x", WaitCondition::next_exit));
    return engine.run(wait->result());
  }
};

TEST_F(WaitTest, AWholeAnswerIsACode) {
  EXPECT_EQ(result_of(chunked(200, {"{\"Error\":null,", "\"StatusCode\":3}\n"})).exit_code, 3);
  EXPECT_TRUE(result_of(chunked(200, {R"({"StatusCode":0})"})).known);
}

TEST_F(WaitTest, ACutOrEmptyAnswerIsUnknownAndNeverZero) {
  const std::string body = R"({"StatusCode":0})";
  for (std::size_t length = 0; length < body.size(); ++length) {
    const auto pieces =
        length == 0 ? std::vector<std::string>{} : std::vector<std::string>{body.substr(0, length)};
    EXPECT_FALSE(result_of(chunked(200, pieces)).known) << length;
    EXPECT_FALSE(result_of(cut(200, pieces)).known) << length;
  }
  EXPECT_FALSE(result_of(chunked(200, {R"({"StatusCode":-1})"})).known);
}

TEST_F(WaitTest, AnErrorBeforeTheBodyIsThrownByTheVerb) {
  const ScriptedEngine server(after_ping([](const ScriptedRequest& request) {
    return asks(request, "/wait") ? answer(404, R"({"message":"No such container: x"})")
                                  : answer(200, running);
  }));
  Session engine(server);
  EXPECT_TRUE(engine.refusal(engine->wait("x", WaitCondition::removed)).not_found());
}

TEST_F(WaitTest, ASilentEngineIsGivenUpBeforeTheHeaderAndNotAfter) {
  const ScriptedEngine server(after_ping([](const ScriptedRequest& request) {
    if (asks(request, "/wait")) return raw("", Then::hold);
    return answer(200, running);
  }));
  Session engine(server);
  EXPECT_TRUE(engine.refusal(engine->wait("x", WaitCondition::next_exit)).unreachable());
}

TEST_F(WaitTest, DestroyingItEndsAResultUnderWay) {
  const ScriptedEngine server(after_ping([](const ScriptedRequest& request) {
    if (asks(request, "/wait"))
      return raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Then::hold);
    return answer(200, running);
  }));
  Session engine(server);
  auto wait = engine.run(engine->wait("x", WaitCondition::next_exit));
  bool over = false;
  boost::asio::co_spawn(engine.loop().io(), wait->result(),
                        [&](std::exception_ptr, WaitResult) { over = true; });
  engine.run(sleep_for(0));
  EXPECT_FALSE(over);
  wait.reset();
  engine.run([](bool& done) -> Task<> {
    while (!done) co_await sleep_for(0);
  }(over));
}

class AttachTest : public ::testing::Test {
 protected:
  static constexpr char upgraded[] =
      "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: "
      "Upgrade\r\nUpgrade: tcp\r\n\r\n";

  static Collected output_of(const std::string& bytes, const char* state = fresh) {
    const ScriptedEngine server(after_ping([&](const ScriptedRequest& request) {
      return asks(request, "/attach") ? raw(bytes, Then::close) : answer(200, state);
    }));
    Session engine(server);
    const auto output = engine.run(engine->attach("x"));
    return engine.run(collect(*output));
  }
};

TEST_F(AttachTest, BytesBehindTheUpgradeAreNotLost) {
  const auto all = output_of(upgraded + frame(1, "out") + frame(2, "err") + frame(3, "engine"));
  EXPECT_EQ(all.out, "out");
  EXPECT_EQ(all.err, "err");
  EXPECT_EQ(all.system, "engine");
}

TEST_F(AttachTest, AnEngineThatDoesNotUpgradeIsReadToo) {
  EXPECT_EQ(output_of("HTTP/1.1 200 OK\r\n\r\n" + frame(1, "out")).out, "out");
}

TEST_F(AttachTest, ATerminalIsNotFramed) {
  EXPECT_EQ(output_of(std::string(upgraded) + "a\r\n",
                      R"({"Config":{"Tty":true},"State":{"Status":"created"}})")
                .out,
            "a\r\n");
}

TEST_F(AttachTest, ACutFrameIsAnErrorAndNotAnEnd) {
  EXPECT_THROW(output_of(upgraded + frame(1, "output").substr(0, 10)), EngineError);
  EXPECT_THROW(output_of(std::string(upgraded) + "no frame at all"), EngineError);
}

TEST_F(AttachTest, ARefusalIsOrdinaryHttp) {
  const ScriptedEngine server(after_ping([](const ScriptedRequest& request) {
    if (asks(request, "/attach"))
      return answer(409, "container is paused\n",
                    {"Content-Type: application/vnd.docker.raw-stream"});
    return answer(200, running);
  }));
  Session engine(server);
  const auto error = engine.refusal(engine->attach("x"));
  EXPECT_TRUE(error.conflict());
  EXPECT_THAT(error.what(), HasSubstr("container is paused"));
}

TEST(Events, AreTakenApartWhereverTheyAreCutAndEndWithTheStream) {
  const ScriptedEngine server(after_ping([](const auto&) {
    return cut(200, {R"({"Action":"create","Actor":{"ID":"a"}})"
                     "\n"
                     R"({"Action":"st)",
                     R"(art","Actor":{"ID":"a"}})"
                     "\nnonsense\n",
                     R"({"Action":"die","Actor":{"ID":"a"}})"
                     "\n"
                     R"({"Action":"des)"});
  }));
  Session engine(server);
  const auto events = engine.run(engine->events({{"k", "v"}}, 1'000'000'000'000'000'007));
  for (const char* action : {"create", "start", "die"}) {
    const auto event = engine.run(events->next());
    ASSERT_TRUE(event);
    EXPECT_EQ(event->action, action);
  }
  EXPECT_FALSE(engine.run(events->next()));
  EXPECT_THAT(server.lines().front(), HasSubstr("&since=1000000000.000000008"));
}

class PullTest : public ::testing::Test {
 protected:
  static ScriptedEngine::Handler pulling(ScriptedReply reply, int image_status = 200) {
    return after_ping([reply = std::move(reply), image_status](const ScriptedRequest& request) {
      return asks(request, "/images/create")
                 ? reply
                 : answer(image_status,
                          image_status == 200 ? "{}" : R"({"message":"No such image"})");
    });
  }
  static EngineError refusal_of(ScriptedReply reply, int image_status = 200) {
    const ScriptedEngine server(pulling(std::move(reply), image_status));
    Session engine(server);
    return engine.refusal(engine->pull("r/x:1"));
  }
};

TEST_F(PullTest, ReferencesAreSplitAsTheEngineWantsThem) {
  const ScriptedEngine server(pulling(chunked(200, {"{\"status\":\"done\"}\r\n"})));
  Session engine(server);
  for (const char* reference : {"x", "h:5000/x", "h:5000/x:2", "x@sha256:ab"})
    engine.run(engine->pull(reference));
  EXPECT_EQ(server.lines()[0], "POST /v1.41/images/create?fromImage=x&tag=latest");
  EXPECT_EQ(server.lines()[2], "POST /v1.41/images/create?fromImage=h%3A5000%2Fx&tag=latest");
  EXPECT_EQ(server.lines()[4], "POST /v1.41/images/create?fromImage=h%3A5000%2Fx&tag=2");
  EXPECT_EQ(server.lines()[6], "POST /v1.41/images/create?fromImage=x&tag=sha256%3Aab");
}

TEST_F(PullTest, AnErrorUnderHttp200IsAnError) {
  const auto error = refusal_of(
      chunked(200, {"{\"status\":\"Pulling\"}\r\n{\"errorDe",
                    "tail\":{\"message\":\"unexpected EOF\"},\"error\":\"unexpected EOF\"}\r\n"}));
  EXPECT_EQ(error.status, 500);
  EXPECT_THAT(error.what(), HasSubstr("pull of r/x:1: unexpected EOF"));
  EXPECT_THAT(refusal_of(chunked(200, {R"({"error":"last line without its end"})"})).what(),
              HasSubstr("last line"));
}

TEST_F(PullTest, AnErrorBeforeTheStreamKeepsItsStatus) {
  EXPECT_EQ(refusal_of(answer(429, R"({"message":"toomanyrequests"})")).status, 429);
}

TEST_F(PullTest, ACutOrSilentReportIsNoSuccess) {
  EXPECT_TRUE(refusal_of(cut(200, {"{\"status\":\"Pulling\"}\r\n"})).unreachable());
  EXPECT_TRUE(refusal_of(raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Then::hold))
                  .unreachable());
}

TEST_F(PullTest, SuccessWithoutAnImageIsNoSuccess) {
  EXPECT_TRUE(refusal_of(chunked(200, {"{}\r\n"}), 404).not_found());
}

}  // namespace
}  // namespace container::test
