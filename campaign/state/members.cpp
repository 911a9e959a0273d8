#include "campaign/state/members.hpp"

#include <cmath>
#include <limits>
#include <utility>

namespace campaign {

namespace {

double microseconds(double value) {
  return std::isfinite(value) ? std::round(value * 1e6) / 1e6 : 0;
}

template <class Visitor, class T>
void deadline_members(Visitor& visit, T& deadline) {
  visit.seconds("boottime", deadline.boottime);
  visit("boot", deadline.boot);
  visit.seconds("utc", deadline.utc);
  visit.seconds("length", deadline.length);
}

}  // namespace

namespace json_text {

void ObjectWriter::name(const char* key) {
  if (!out_.empty() && out_.back() != '{') out_ += ',';
  out_ += '"';
  out_ += key;
  out_ += "\":";
}

void ObjectWriter::seconds(const char* key, double value) {
  if (const double rounded = microseconds(value); rounded != 0) always(key, rounded);
}

void ObjectWriter::words(const char* key, const std::vector<std::string>& value) {
  name(key);
  char separator = '[';
  for (const std::string& word : value) {
    out_ += std::exchange(separator, ',');
    append_string(out_, word);
  }
  out_ += value.empty() ? "[]" : "]";
}

void ObjectWriter::put(const std::string& value) {
  append_string(out_,
                value.size() <= text_cap / 4 ? std::string_view(value) : clean(value, text_cap));
}

void ObjectWriter::put(const Deadline& value) {
  out_ += '{';
  deadline_members(*this, value);
  out_ += '}';
}

void ObjectWriter::put(const std::vector<std::string>& value) {
  char separator = '[';
  for (const std::string& text : value) {
    out_ += std::exchange(separator, ',');
    put(text);
  }
  out_ += value.empty() ? "[]" : "]";
}

void ObjectWriter::put(const std::map<std::string, double>& value) {
  char separator = '{';
  for (const auto& [key, number] : value) {
    out_ += std::exchange(separator, ',');
    put(key);
    out_ += ':';
    put(microseconds(number));
  }
  out_ += value.empty() ? "{}" : "}";
}

ObjectReader::ObjectReader(std::string_view text) {
  Reader reader(text);
  reader.begin_object();
  members_.reserve(24);
  for (std::string_view key; reader.next_member(key);) members_.emplace_back(key, reader.raw());
  reader.finish();
}

const std::string_view* ObjectReader::find(std::string_view key) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const std::size_t at = (next_ + i) % members_.size();
    if (members_[at].first != key) continue;
    next_ = at + 1;
    return &members_[at].second;
  }
  return nullptr;
}

void ObjectReader::get(std::string_view raw, int& value) {
  Reader reader(raw);
  const std::int64_t wide = reader.integer();
  if (wide < std::numeric_limits<int>::min() || wide > std::numeric_limits<int>::max()) {
    reader.fail("a number that is too large");
  }
  value = static_cast<int>(wide);
}

void ObjectReader::get(std::string_view raw, unsigned& value) {
  Reader reader(raw);
  const std::uint64_t wide = reader.unsigned_integer();
  if (wide > std::numeric_limits<unsigned>::max()) reader.fail("a number that is too large");
  value = static_cast<unsigned>(wide);
}

void ObjectReader::get(std::string_view raw, FailureClass& value) {
  const std::string name = Reader(raw).string();
  const auto known = failure_class(name);
  if (!known) throw Error("unknown class \"" + name + "\"");
  value = *known;
}

void ObjectReader::get(std::string_view raw, Deadline& value) {
  ObjectReader reader(raw);
  deadline_members(reader, value);
}

void ObjectReader::get(std::string_view raw, std::vector<std::string>& value) {
  Reader reader(raw);
  value.clear();
  reader.begin_array();
  while (reader.next_element()) value.push_back(reader.string());
}

void ObjectReader::get(std::string_view raw, std::map<std::string, double>& value) {
  Reader reader(raw);
  value.clear();
  reader.begin_object();
  for (std::string_view key; reader.next_member(key);) {
    std::string name = Reader::unescape(key);
    value[std::move(name)] = reader.number();
  }
}

}  // namespace json_text

}  // namespace campaign
