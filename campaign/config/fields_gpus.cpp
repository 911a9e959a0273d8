#include <algorithm>
#include <charconv>

#include "campaign/config/field_makers.hpp"

namespace campaign {
namespace {

constexpr int most_gpus = 1024;
constexpr char ids_prefix[] = "ids:";

std::optional<GpuWish> of_ids(const Value& list) {
  GpuWish wish{.kind = GpuWish::Kind::ids};
  if (!list.is_list() || list.items().empty()) return std::nullopt;
  for (const Value& item : list.items()) {
    const bool plain = item.kind() == Value::Kind::string || item.kind() == Value::Kind::integer;
    if (!plain || item.written().empty()) return std::nullopt;
    wish.ids.push_back(item.written());
  }
  return wish;
}

// "0,GPU-8f1e"
std::optional<GpuWish> of_words(const std::string& list) {
  GpuWish wish{.kind = GpuWish::Kind::ids};
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    if (end == at) return std::nullopt;
    wish.ids.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  return wish;
}

std::optional<GpuWish> of_text(const std::string& text) {
  using Kind = GpuWish::Kind;
  if (text == "auto") return GpuWish{.kind = Kind::automatic};
  if (text == "all") return GpuWish{.kind = Kind::all};
  if (text == "none") return GpuWish{.kind = Kind::none};
  if (text.starts_with(ids_prefix)) return of_words(text.substr(sizeof ids_prefix - 1));
  GpuWish wish{.kind = Kind::count};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), wish.count);
  const bool number = error == std::errc() && end == text.data() + text.size();
  if (!number || wish.count < 0 || wish.count > most_gpus) return std::nullopt;
  if (wish.count == 0) wish.kind = Kind::none;
  return wish;
}

std::string not_a_wish(const Value& value) {
  const Value* ids = value.is_map() ? value.find("ids") : &value;
  if (!ids) return "a map without `ids`";
  if (value.is_map() && value.members().size() > 1) return "a map with other keys beside `ids`";
  if (ids->is_list())
    return ids->items().empty() ? "an empty list" : "a list of other things than ids";
  return describe(value);
}

void store_pool(Decoder& d, const Field&, Value& value, void* target) {
  const auto wish = gpu_wish(value);
  if (!wish || wish->kind == GpuWish::Kind::count)
    return d.fail(value, "expected auto, all, none or {ids: [...]}, not " + not_a_wish(value) +
                             (wish ? "; how many a run gets stands in its runner" : ""));
  static_cast<Campaign*>(target)->gpus = *wish;
}

void store_demand(Decoder& d, const Field&, Value& value, void* target) {
  const auto wish = gpu_wish(value);
  if (!wish || wish->kind == GpuWish::Kind::automatic)
    return d.fail(value, "expected a count, {ids: [...]}, all or none, not " + not_a_wish(value));
  static_cast<Runner*>(target)->gpus = *wish;
}

}  // namespace

std::optional<GpuWish> gpu_wish(const Value& value) {
  if (value.is_list()) return of_ids(value);
  if (value.is_map()) {
    const Value* ids = value.find("ids");
    return ids && value.members().size() == 1 ? of_ids(*ids) : std::nullopt;
  }
  const bool word = value.kind() == Value::Kind::string || value.kind() == Value::Kind::integer;
  return word ? of_text(value.written()) : std::nullopt;
}

Field pool_field() {
  Field field = row({FieldType::gpus, "gpus",
                     "devices the campaign may use: `auto`, the free ones of what is granted here, "
                     "with a `gpus_wait` all of it where those are not enough; `all` of it; "
                     "`none`; `{ids: [...]}`, as a word `ids:0,1`"},
                    store_pool);
  field.choices = {"auto", "all", "none"};
  return std::move(field).otherwise("auto").like("{ids: [0, GPU-8f1e]}");
}

Field demand_field() {
  Field field =
      row({FieldType::gpus, "gpus",
           "devices of a run: a count, `{ids: [...]}` (an index, a UUID or its "
           "beginning), `all` of the campaign's, `none`; an experiment's own `gpus` wins"},
          store_demand);
  field.choices = {"all", "none"};
  return std::move(field).like("1");
}

const Section* gpus_wait_section() {
  using W = GpusWait;
  static const Section section{
      .title = "gpus_wait",
      .help = "When devices of a run are held by others: another campaign, or somebody's process.",
      .fields = {
          duration_field<&W::seconds>("for", "how long they are waited for")
              .otherwise("0")
              .like("30m"),
          choice_field<&W::then>("then",
                                 "`fail`: the run fails (class infra); `pause`: the campaign "
                                 "pauses, to be resumed",
                                 {"fail", "pause"})
              .otherwise("fail")
              .like("pause")}};
  return &section;
}

}  // namespace campaign
