#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/campaign/results_fixture.hpp"

namespace campaign::testing {
namespace {

namespace fs = std::filesystem;

class Verify : public ResultsTest {
 protected:
  fs::path in_attempt(const std::string& name) { return folder.attempt(attempt) / name; }
  void expect(FailureClass cls, const std::string& part) {
    const auto verdict = verify();
    EXPECT_EQ(verdict.cls, cls) << verdict.message;
    EXPECT_NE(verdict.message.find(part), std::string::npos) << verdict.message;
    EXPECT_EQ(verdict.message.find('\n'), std::string::npos);
  }
};

TEST_F(Verify, AnEmptyFolderIsFineWhenNothingIsRequired) {
  const auto verdict = verify();
  EXPECT_EQ(verdict.cls, FailureClass::none) << verdict.message;
  EXPECT_EQ(verdict.bytes, 0);
}

TEST_F(Verify, AMissingFolderIsAMissingResult) {
  fs::remove_all(folder.attempt(attempt));
  expect(FailureClass::missing_result, "the results folder cannot be read");
}

TEST_F(Verify, EveryProcessMustHaveLeftJson) {
  request.processes = 2;
  payload("process_0.json", "{}");
  expect(FailureClass::missing_result, "process_1.json is missing (processes: 2)");
  payload("process_1.json", "{\"torn\":");
  expect(FailureClass::invalid_result, "process_1.json is no JSON");
  payload("process_1.json", "{}");
  EXPECT_EQ(verify().cls, FailureClass::none);
  payload("process_2.json", "{}");
  EXPECT_EQ(verify().notes.size(), 1U);
}

TEST_F(Verify, MarkersOfThePayloadMustMatch) {
  request.processes = 1;
  payload("process_0.json", "{}");
  const std::string hash = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
  payload(".completed_0", "{\"process_index\":0,\"result_hash\":\"" + hash + "\"}");
  EXPECT_EQ(verify().cls, FailureClass::none);
  payload(".completed_0", "{\"result_hash\":\"" + hash.substr(0, 16) + "\"}");
  EXPECT_EQ(verify().cls, FailureClass::none);
  payload(".completed_0", "{\"result_hash\":\"" + hash.substr(0, 15) + "\"}");
  expect(FailureClass::invalid_result, ".completed_0 says result_hash");
  payload(".completed_0", "{\"process_index\":1,\"result_hash\":\"" + hash + "\"}");
  expect(FailureClass::invalid_result, "process_index of another");
  payload(".completed_0", "done");
  expect(FailureClass::invalid_result, "no JSON object with a result_hash");
  payload(".completed_0", "{\"result_hash\":\"" + hash + "\"}");
  payload("process_0.json", "{ }");
  expect(FailureClass::invalid_result, ".completed_0 says result_hash");
}

TEST_F(Verify, AMarkerWithoutItsResultIsInvalid) {
  payload(".completed_7", "{\"result_hash\":\"44136fa355b3678a\"}");
  expect(FailureClass::invalid_result, "process_7.json, which is missing");
}

TEST_F(Verify, RequiredGlobsMustMatchSomething) {
  collect.required = {"out/**/*.csv", "model"};
  expect(FailureClass::missing_result, "nothing matches out/**/*.csv");
  payload("out/a/b/c.csv", "1");
  expect(FailureClass::missing_result, "nothing matches model");
  fs::create_directory(in_attempt("model"));
  EXPECT_EQ(verify().cls, FailureClass::none);
}

TEST_F(Verify, LinksThatLeaveTheFolderAreRefused) {
  for (const char* target : {"/etc/passwd", "../../raw", "sub/../../x", "/campaign/results/a"}) {
    fs::create_directories(in_attempt("sub"));
    fs::create_symlink(target, in_attempt("evil.json"));
    expect(FailureClass::invalid_result, "evil.json");
    fs::remove(in_attempt("evil.json"));
  }
}

TEST_F(Verify, LinksThatLeaveByWayOfAnotherLinkAreRefused) {
  fs::create_directories(in_attempt("a/b"));
  fs::create_symlink("a/b", in_attempt("inner"));
  fs::create_symlink("inner/../../../x", in_attempt("outer"));
  expect(FailureClass::invalid_result, "outer leads out of the results folder");
}

TEST_F(Verify, LinksInsideAreFollowed) {
  payload("data/real.json", R"({"tps":4})");
  fs::create_symlink("data", in_attempt("latest"));
  fs::create_symlink("latest/real.json", in_attempt("result.json"));
  metric(MetricSpec::Source::json, "result.json#/tps");
  const auto verdict = verify();
  EXPECT_EQ(verdict.cls, FailureClass::none) << verdict.message;
  EXPECT_DOUBLE_EQ(verdict.metrics[0].value, 4);
}

TEST_F(Verify, LinksToNothingAreNotedAndLoopsRefused) {
  fs::create_symlink("gone", in_attempt("dangling"));
  const auto verdict = verify();
  EXPECT_EQ(verdict.cls, FailureClass::none);
  EXPECT_EQ(verdict.notes, std::vector<std::string>{"dangling is a link to nothing"});
  fs::create_symlink("b", in_attempt("a"));
  fs::create_symlink("a", in_attempt("b"));
  expect(FailureClass::invalid_result, "chain of links");
}

TEST_F(Verify, AFolderThatIsALinkIsNoResultsFolder) {
  fs::create_directory(folder.folder / "elsewhere");
  fs::remove_all(folder.attempt(attempt));
  fs::create_symlink(folder.folder / "elsewhere", folder.attempt(attempt));
  EXPECT_EQ(verify().cls, FailureClass::missing_result);
}

TEST_F(Verify, FifosAndSocketsAreRefusedWithoutWaiting) {
  ASSERT_EQ(::mkfifo(in_attempt("process_0.json").c_str(), 0600), 0);
  expect(FailureClass::invalid_result, "process_0.json is a fifo");
  fs::remove(in_attempt("process_0.json"));
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = in_attempt("s").string();
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  expect(FailureClass::invalid_result, "s is a socket");
  ::close(fd);
}

TEST_F(Verify, DevicesAreRefused) {
  if (::mknod(in_attempt("null").c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0)
    GTEST_SKIP() << "making a device needs root";
  expect(FailureClass::invalid_result, "null is a device");
}

TEST_F(Verify, AHugeSparseFileIsRefusedWithoutBeingRead) {
  collect.max_bytes = 1 << 20;
  payload("metrics.jsonl", "");
  ASSERT_EQ(::truncate(in_attempt("metrics.jsonl").c_str(), off_t{1} << 40), 0);
  expect(FailureClass::invalid_result, "collect.max_bytes is 1048576");
  EXPECT_EQ(verify().bytes, std::int64_t{1} << 40);
}

TEST_F(Verify, JsonLargerThanTheControllerReadsIsRefused) {
  request.processes = 1;
  payload("process_0.json", "{}");
  ASSERT_EQ(::truncate(in_attempt("process_0.json").c_str(), largest_json + 1), 0);
  expect(FailureClass::invalid_result, "process_0.json has 67108865 bytes");
}

TEST_F(Verify, ReservedNamesAreRefusedWhateverTheyAre) {
  for (const auto& name : reserved_names()) {
    payload(name, "x");
    expect(FailureClass::invalid_result, "the payload left " + name);
    fs::remove(in_attempt(name));
    fs::create_directory(in_attempt(name));
    expect(FailureClass::invalid_result, name);
    fs::remove(in_attempt(name));
    fs::create_symlink("nothing", in_attempt(name));
    expect(FailureClass::invalid_result, name);
    fs::remove(in_attempt(name));
  }
  payload("sub/config.yaml", "x");
  EXPECT_EQ(verify().cls, FailureClass::none);
}

TEST_F(Verify, NamesWithControlCharactersDoNotReachTheMessage) {
  ASSERT_EQ(::mkfifo(in_attempt("a\nb\x1b[2J\xff").c_str(), 0600), 0);
  expect(FailureClass::invalid_result, "a\\x0ab\\x1b[2J\xEF\xBF\xBD is a fifo");
}

TEST_F(Verify, FoldersNestedWithoutEndAreRefused) {
  fs::path deep = folder.attempt(attempt);
  for (int i = 0; i < 70; ++i) deep /= "d";
  fs::create_directories(deep);
  expect(FailureClass::invalid_result, "nested deeper than 64");
}

TEST_F(Verify, ChangesNothing) {
  payload("process_0.json", "{}");
  control("stdout.log", "hello\n");
  request.processes = 1;
  EXPECT_EQ(verify().cls, FailureClass::none);
  std::size_t entries = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder.folder))
    entries += entry.exists();
  EXPECT_EQ(entries, 6U);
}

}  // namespace
}  // namespace campaign::testing
