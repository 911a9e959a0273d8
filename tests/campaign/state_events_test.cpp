#include <gtest/gtest.h>

#include <set>

#include <nlohmann/json.hpp>

#include "campaign/state/crc32c.hpp"
#include "campaign/state/json_text.hpp"
#include "tests/support/campaign/state_support.hpp"

namespace campaign {
namespace {

using testing::normal_run;
using testing::one_of_each_event;
using testing::record;

Record round_trip(const Event& event) {
  return decode_record(encode_record(record("w-1-2-1", 5, event)));
}

TEST(Crc32c, GivesThePublishedCheckValues) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c(""), 0u);
}

TEST(Events, EveryEventComesBackAsItWasWritten) {
  std::set<std::string> names;
  for (const Event& event : one_of_each_event()) {
    const std::string line = encode_record(record("w-1-2-1", 5, event));
    const Record back = decode_record(line);
    EXPECT_EQ(back.event.index(), event.index());
    EXPECT_EQ(encode_record(back), line);
    names.insert(event_name(event));
  }
  EXPECT_EQ(names.size(), std::variant_size_v<Event>);
}

TEST(Events, EveryMemberIsWritten) {
  const Record back = round_trip(one_of_each_event()[8]);
  const auto& failed = std::get<event::Failed>(back.event);
  EXPECT_EQ(failed.cls, FailureClass::gpu_oom);
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_EQ(failed.signal, 6);
  EXPECT_TRUE(failed.oom_killed);
  EXPECT_EQ(failed.log_tail, "line\nline \"x\"\t\x01");
  EXPECT_EQ(failed.stages.at("measure"), 12.000001);
  EXPECT_EQ(failed.retry_not_before_utc, 1763685700.5);
  EXPECT_FALSE(failed.final);
  const Record claimed = round_trip(one_of_each_event()[2]);
  EXPECT_EQ(std::get<event::Claimed>(claimed.event).service, "vllm");
  const event::Claimed leased{.run = "r.c01", .gpus = "GPU-a,GPU-b"};
  EXPECT_EQ(std::get<event::Claimed>(round_trip(leased).event).gpus, "GPU-a,GPU-b");
  const event::Starting served{.run = "r.c01", .container_id = "c", .server = "s"};
  EXPECT_EQ(std::get<event::Starting>(round_trip(served).event).server, "s");
  const Record starting = round_trip(one_of_each_event()[4]);
  EXPECT_EQ(std::get<event::Starting>(starting.event).pid_start, 18446744073709551615u);
}

TEST(Events, EnvelopeComesBack) {
  const Record before = record("w-1-2-1", 5, event::Paused{"disk"});
  const Record back = decode_record(encode_record(before) + "\n");
  EXPECT_EQ(back.seq, 5);
  EXPECT_EQ(back.t, before.t);
  EXPECT_EQ(back.mono_ns, 5000);
  EXPECT_EQ(back.boot, before.boot);
}

TEST(Events, RecordIsOneJsonObjectOnOneLineWithItsSumLast) {
  for (const Event& event : one_of_each_event()) {
    const std::string line = encode_record(record("w-1-2-1", 5, event));
    EXPECT_EQ(line.find('\n'), std::string::npos);
    const auto parsed = nlohmann::ordered_json::parse(line);
    EXPECT_EQ(parsed.begin().key(), "v");
    EXPECT_EQ(std::prev(parsed.end()).key(), "crc32c");
    EXPECT_EQ(parsed["event"], event_name(event));
  }
}

TEST(Events, InvalidUtf8BecomesReplacementCharacters) {
  for (const std::string bad :
       {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\x80"}) {
    event::Failed failed;
    failed.run = "r.c01";
    failed.message = "a" + bad + "z";
    const std::string line = encode_record(record("w-1-2-1", 1, failed));
    EXPECT_TRUE(nlohmann::json::accept(line));
    const std::string message = std::get<event::Failed>(decode_record(line).event).message;
    EXPECT_TRUE(message.starts_with("a\xef\xbf\xbd")) << message;
    EXPECT_TRUE(message.ends_with("z"));
  }
}

TEST(Events, WellFormedTextOfAllLengthsStays) {
  event::Failed failed;
  failed.run = "r.c01";
  failed.message = "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \x7f \x01\\ \"";
  EXPECT_EQ(std::get<event::Failed>(round_trip(failed).event).message, failed.message);
}

TEST(Events, PayloadTextIsCappedBetweenCharacters) {
  event::Failed failed;
  failed.run = "r.c01";
  for (int i = 0; i < 20'000; ++i) failed.log_tail += "\xe2\x82\xac";
  failed.log_tail += "END";
  failed.message = "BEGIN" + failed.log_tail;
  const auto back = std::get<event::Failed>(round_trip(failed).event);
  EXPECT_LE(back.log_tail.size(), 8192u);
  EXPECT_GT(back.log_tail.size(), 8180u);
  EXPECT_TRUE(back.log_tail.ends_with("END"));
  EXPECT_TRUE(back.log_tail.starts_with("\xe2\x82\xac"));
  EXPECT_LE(back.message.size(), 8192u);
  EXPECT_TRUE(back.message.starts_with("BEGIN"));
  EXPECT_TRUE(back.message.ends_with("\xe2\x82\xac"));
}

TEST(Events, TextOfOnlyInvalidBytesStaysBelowTheCap) {
  event::Failed failed;
  failed.run = "r.c01";
  failed.log_tail = std::string(100'000, '\xff');
  EXPECT_LE(std::get<event::Failed>(round_trip(failed).event).log_tail.size(), 8192u);
}

TEST(Events, RecordsOfANormalRunAreSmall) {
  std::size_t bytes = 0;
  for (const Event& event : normal_run("tiny-b4.c01", 1)) {
    Record one = record("w-1-2-1", 123456, event);
    one.boot.resize(8);
    one.mono_ns = 123456789012345;
    bytes += encode_record(one).size() + 1;
  }
  EXPECT_LE(bytes, 1536u);
}

TEST(Events, UnknownVersionIsNamed) {
  std::string p = "{\"v\":2,\"seq\":1,\"t\":\"x\",\"event\":\"paused\"";
  try {
    decode_record(sealed(p));
    FAIL() << "a record of version 2 was read";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("version 2"), std::string::npos) << error.what();
  }
}

TEST(Events, WrongRecordsAreRefusedWithAReason) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"v":1,"seq":1,"t":"x","event":"dance")", "unknown event \"dance\""},
      {R"({"v":1,"t":"x","event":"paused")", "\"seq\" is missing"},
      {R"({"v":1,"seq":1,"t":"x","event":"released","attempt":1)", "\"run\" is missing"},
      {R"({"v":1,"seq":1,"t":"x","event":"released","run":"r","attempt":99999999999)", "too large"},
      {R"({"v":1,"seq":1,"t":"x","event":"failed","run":"r","attempt":1,"class":"odd","final":true)",
       "odd"},
      {R"({"v":1,"seq":"1","t":"x","event":"paused")", "whole number"},
  };
  for (const auto& [p, reason] : cases) {
    try {
      decode_record(sealed(p));
      ADD_FAILURE() << p;
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
    }
  }
}

TEST(Events, EveryFlippedBitOfARecordIsRefused) {
  const std::string line = encode_record(record("w-1-2-1", 5, normal_run("tiny.c01", 1)[4]));
  for (std::size_t i = 0; i < line.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = line;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      EXPECT_THROW(decode_record(bad), std::runtime_error) << i << " " << bit;
    }
  }
}

TEST(Events, FailureClassesHaveNamesThatReadBack) {
  for (int i = 0; i <= static_cast<int>(FailureClass::interrupted); ++i) {
    const auto cls = static_cast<FailureClass>(i);
    EXPECT_EQ(failure_class(name_of(cls)), cls);
  }
  EXPECT_FALSE(failure_class("unheard_of"));
}

TEST(Clock, Rfc3339IsUtcAndReadsBack) {
  EXPECT_EQ(rfc3339(0, 0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339(1763685600.25, 6), "2025-11-21T00:40:00.250000Z");
  EXPECT_EQ(rfc3339(1.9999999), "1970-01-01T00:00:02.000Z");
  EXPECT_EQ(rfc3339(-0.5, 1), "1969-12-31T23:59:59.5Z");
  EXPECT_DOUBLE_EQ(parse_rfc3339("2025-11-21T00:40:00.250000Z"), 1763685600.25);
  EXPECT_EQ(parse_rfc3339("yesterday"), 0);
}

TEST(Clock, SystemClockKnowsItsBootAndDoesNotGoBack) {
  const Clock& clock = system_clock();
  EXPECT_EQ(clock.boot_id().size(), 36u);
  const auto before = clock.monotonic_ns();
  EXPECT_GE(clock.monotonic_ns(), before);
  EXPECT_GT(clock.utc(), 1.6e9);
  EXPECT_GT(clock.boottime(), 0);
}

TEST(JsonText, ReaderRefusesWhatIsNotJson) {
  for (const std::string bad :
       {"", "{", "[1", "{\"a\"}", "{\"a\":1,}", "[1 2]", "{\"a\":1}x", "{\"a\":}", "{a:1}",
        "{\"a\":\"\\u12\"}", "{\"a\":\"\\q\"}", "[}"}) {
    EXPECT_THROW(
        {
          json_text::Reader reader(bad);
          reader.begin_object();
          for (std::string_view key; reader.next_member(key);) {
            const auto raw = reader.raw();
            if (raw.starts_with('"')) json_text::Reader(raw).string();
          }
          reader.finish();
        },
        json_text::Error)
        << bad;
  }
}

TEST(JsonText, EscapesAreRead) {
  json_text::Reader reader(R"("a\u00e9\ud83d\ude00\n\/\\\"\ud800x")");
  EXPECT_EQ(reader.string(), "a\xc3\xa9\xf0\x9f\x98\x80\n/\\\"\xef\xbf\xbdx");
}

}  // namespace
}  // namespace campaign
