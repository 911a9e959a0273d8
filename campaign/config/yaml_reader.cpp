#include "campaign/config/yaml_reader.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <cmath>
#include <map>
#include <sstream>
#include <unordered_map>

namespace campaign {
namespace {

constexpr std::size_t deepest = 64;
constexpr std::size_t longest_key = 512;
constexpr std::size_t largest_expansion = std::size_t{64} << 20;
constexpr std::size_t node_weight = 256;
constexpr std::string_view yaml_tag = "tag:yaml.org,2002:";

struct Refused {
  Diagnostic why;
};

std::size_t weight(const Value& value) {
  std::size_t sum = node_weight + value.written().size();
  for (const Value& item : value.items()) sum += weight(item);
  for (const auto& [key, member] : value.members()) sum += key.size() + weight(member);
  return sum;
}

class Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::string file) : file_(std::move(file)) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) refuse(mark, "a second document begins here; a campaign file holds one");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const bool keyed = !frames_.empty() && frames_.back().key && !frames_.back().merge_key;
    put_at(keyed ? frames_.back().key_origin : origin(mark), anchor, Value::null());
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Value::list({}));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Value::map({}));
  }
  void OnMapEnd() override { close(); }

  YamlDocument take() {
    return {.value = std::move(root_), .diagnostics = std::move(diagnostics_), .whole = true};
  }

 private:
  struct Merge {
    Origin origin;
    Value value;
  };
  struct Frame {
    Value value;
    YAML::anchor_t anchor = 0;
    std::optional<std::string> key;
    Origin key_origin;
    bool merge_key = false;
    std::unordered_map<std::string, int> lines;  // of the keys so far
    std::vector<Merge> merges;
  };

  Origin origin(const YAML::Mark& mark) const { return {file_, mark.line + 1, mark.column + 1}; }
  std::string path() const;
  void complain(const Origin& at, std::string message) {
    diagnostics_.push_back({at, path(), std::move(message)});
  }
  [[noreturn]] void refuse(const Origin& at, std::string message) const {
    throw Refused{{at, path(), std::move(message)}};
  }
  [[noreturn]] void refuse(const YAML::Mark& mark, std::string message) const {
    refuse(origin(mark), std::move(message));
  }
  bool expects_key() const {
    return !frames_.empty() && frames_.back().value.is_map() && !frames_.back().key;
  }
  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Value value);
  void close();
  void put(const YAML::Mark& mark, YAML::anchor_t anchor, Value value) {
    put_at(origin(mark), anchor, std::move(value));
  }
  void put_at(const Origin& at, YAML::anchor_t anchor, Value value);
  void attach(Value value);
  void take_key(const Origin& at, const Value& value);
  void notice_placeholder(const Value& map);
  void apply_merges(Frame& frame);
  void merge_one(Frame& frame, const Merge& merge);

  std::string file_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, Value> anchors_;
  std::vector<Diagnostic> diagnostics_;
  Value root_;
  std::size_t expanded_ = 0;
  int documents_ = 0;
};

std::string Builder::path() const {
  std::string dotted;
  for (const Frame& frame : frames_) {
    if (frame.value.is_list()) {
      dotted += "[" + std::to_string(frame.value.items().size()) + "]";
    } else if (frame.key) {
      dotted += (dotted.empty() ? "" : ".") + *frame.key;
    }
  }
  return dotted;
}

void Builder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
  const auto known = anchors_.find(anchor);
  if (known == anchors_.end()) refuse(mark, "this alias refers to a value that contains it");
  expanded_ += weight(known->second);
  if (expanded_ > largest_expansion) refuse(mark, "aliases expand to more than 64 MiB");
  put(mark, 0, known->second);
}

Value tagged_scalar(const std::string& tag, const std::string& text) {
  if (tag == "?") return Value::plain_scalar(text);
  return Value::string(text);
}

void Builder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       const std::string& text) {
  Value value = tagged_scalar(tag, text);
  if (tag != "?" && tag != "!" && tag != std::string(yaml_tag) + "str") {
    if (!tag.starts_with(yaml_tag)) {
      const std::string name =
          tag == "!include" ? "`!include` is not supported yet" : "unknown tag `" + tag + "`";
      complain(origin(mark), name);
    } else {
      value = Value::plain_scalar(text);
    }
  }
  if (value.kind() == Value::Kind::real && !std::isfinite(value.as_real())) {
    complain(origin(mark),
             "`" + text + "` is not a finite number; write it in quotes to hand it on as text");
  }
  if (expects_key() && tag == "?" && text == "<<") {
    frames_.back().merge_key = true;
    frames_.back().key = text;
    frames_.back().key_origin = origin(mark);
    return;
  }
  if (expects_key()) {
    value = Value::string(text);
  }
  put(mark, anchor, std::move(value));
}

void Builder::open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                   Value value) {
  if (expects_key())
    refuse(mark, "a list or map stands where a key is expected; is a bracket not closed?");
  if (frames_.size() >= deepest) refuse(mark, "nested deeper than 64 levels");
  if (tag != "?" && tag != "!" && !tag.empty() && !tag.starts_with(yaml_tag)) {
    complain(origin(mark), "unknown tag `" + tag + "`");
  }
  value.set_origin(origin(mark));
  Frame frame;
  frame.value = std::move(value);
  frame.anchor = anchor;
  frames_.push_back(std::move(frame));
}

void Builder::close() {
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  apply_merges(frame);
  notice_placeholder(frame.value);
  if (frame.anchor) anchors_.emplace(frame.anchor, frame.value);
  attach(std::move(frame.value));
}

void Builder::put_at(const Origin& at, YAML::anchor_t anchor, Value value) {
  if (expects_key()) return take_key(at, value);
  value.set_origin(at);
  if (anchor) anchors_.emplace(anchor, value);
  attach(std::move(value));
}

void Builder::attach(Value value) {
  if (frames_.empty()) {
    root_ = std::move(value);
    return;
  }
  Frame& frame = frames_.back();
  if (frame.value.is_list()) {
    frame.value.items().push_back(std::move(value));
    return;
  }
  if (frame.merge_key) {
    frame.merges.push_back({frame.key_origin, std::move(value)});
  } else if (frame.lines.emplace(*frame.key, frame.key_origin.line).second) {
    frame.value.append(*frame.key, std::move(value), frame.key_origin);
  }
  frame.merge_key = false;
  frame.key.reset();
}

void Builder::take_key(const Origin& at, const Value& value) {
  if (!value.is_scalar())
    refuse(at, "a list or map stands where a key is expected; is a bracket not closed?");
  if (value.written().empty()) refuse(at, "there is no key before the colon");
  if (value.written().size() > longest_key) refuse(at, "a key longer than 512 bytes");
  Frame& frame = frames_.back();
  frame.key = value.written();
  frame.key_origin = at;
  if (const auto earlier = frame.lines.find(*frame.key); earlier != frame.lines.end()) {
    complain(frame.key_origin,
             "duplicate key; it stands already in line " + std::to_string(earlier->second));
  }
}

void Builder::merge_one(Frame& frame, const Merge& merge) {
  if (!merge.value.is_map()) {
    complain(merge.origin, "`<<` takes a map or a list of maps, mostly an alias such as *base");
    return;
  }
  for (const auto& [key, value] : merge.value.members()) {
    if (!frame.lines.emplace(key, merge.origin.line).second) continue;
    frame.value.append(key, value, merge.value.key_origin(key));
  }
}

void Builder::notice_placeholder(const Value& map) {
  if (map.members().size() != 1 || !map.members()[0].second.is_null()) return;
  const std::string& key = map.members()[0].first;
  if (key.starts_with("p.") || key.starts_with("vars.")) {
    complain(map.origin(), "{" + key + "} without quotes is a map; write \"{" + key + "}\"");
  }
}

void Builder::apply_merges(Frame& frame) {
  for (const Merge& merge : frame.merges) {
    if (!merge.value.is_list()) {
      merge_one(frame, merge);
      continue;
    }
    for (const Value& item : merge.value.items()) merge_one(frame, {merge.origin, item});
  }
}

std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto head = static_cast<unsigned char>(text[at]);
  const std::size_t length = head < 0x80   ? 1
                             : head < 0xC2 ? 0
                             : head < 0xE0 ? 2
                             : head < 0xF0 ? 3
                             : head < 0xF5 ? 4
                                           : 0;
  if (length == 0 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[at + i]) & 0xC0) != 0x80) return 0;
  }
  const auto second = length > 2 ? static_cast<unsigned char>(text[at + 1]) : 0x80;
  const bool overlong = (head == 0xE0 && second < 0xA0) || (head == 0xF0 && second < 0x90);
  const bool outside = (head == 0xED && second > 0x9F) || (head == 0xF4 && second > 0x8F);
  return overlong || outside ? 0 : length;
}

std::optional<Diagnostic> text_fault(const YamlText& source) {
  Origin at{source.name, 1, 1};
  for (std::size_t i = 0; i < source.text.size();) {
    const auto c = static_cast<unsigned char>(source.text[i]);
    const std::size_t length = sequence_length(source.text, i);
    char code[8];
    std::snprintf(code, sizeof code, "0x%02x", c);
    if (length == 0)
      return Diagnostic{
          at, "", std::string("byte ") + code + " is not valid UTF-8; save the file as UTF-8"};
    if ((c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7F) {
      return Diagnostic{at, "",
                        std::string("control character ") + code + "; this is not a text file"};
    }
    i += length;
    at.column += 1;
    if (c == '\n') {
      at.line += 1;
      at.column = 1;
    }
  }
  return std::nullopt;
}

// What is mostly wrong where yaml-cpp gives up.
std::string hint(std::string_view text, const YAML::Exception& e) {
  std::size_t begin = 0;
  for (int line = 0; line < e.mark.line && begin != text.npos; ++line) {
    begin = text.find('\n', begin);
    if (begin != text.npos) ++begin;
  }
  const auto line =
      begin == text.npos ? std::string_view{} : text.substr(begin, text.find('\n', begin) - begin);
  if (line.substr(0, line.find_first_not_of(" \t")).find('\t') != line.npos)
    return "; indent with blanks, not tabs";
  return e.msg.find("flow") == e.msg.npos ? "" : "; put texts that hold { } [ ] in quotes";
}

}  // namespace

YamlDocument read_yaml(const YamlText& source) {
  if (auto fault = text_fault(source))
    return {.value = {}, .diagnostics = {*fault}, .whole = false};
  Builder builder(source.name);
  const bool marked = source.text.starts_with("\xEF\xBB\xBF");
  std::istringstream stream(marked ? source.text.substr(3) : source.text);
  std::optional<Diagnostic> fatal;
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused& refused) {
    fatal = refused.why;
  } catch (const YAML::Exception& e) {
    fatal = Diagnostic{{source.name, e.mark.line + 1, e.mark.column + 1},
                       "",
                       "not valid YAML: " + e.msg + hint(source.text, e)};
  }
  YamlDocument document = builder.take();
  document.whole = !fatal;
  if (fatal) document.diagnostics.push_back(*fatal);
  return document;
}

}  // namespace campaign
