// Makers of table rows: each binds a key to a member of the struct that its section fills.
#pragma once

#include "campaign/config/campaign.hpp"
#include "campaign/config/decoder.hpp"

namespace campaign {

template <class T>
struct Bare {
  using Type = T;
};
template <class T>
struct Bare<std::optional<T>> {
  using Type = T;
};

template <auto M>
struct Member;
template <class C, class T, T C::* M>
struct Member<M> {
  using Type = typename Bare<T>::Type;
  static T& of(void* target) { return static_cast<C*>(target)->*M; }
};

struct About {
  FieldType type;
  const char* name;
  const char* help;
};

inline Field row(const About& about, Field::Store store) {
  Field field;
  field.type = about.type;
  field.name = about.name;
  field.help = about.help;
  field.store = store;
  return field;
}

template <auto M>
Field text_field(const char* name, const char* help) {
  return row({FieldType::text, name, help},
             [](Decoder& d, const Field& f, Value& value, void* target) {
               if (auto text = d.text(f, value)) Member<M>::of(target) = *text;
             });
}

template <auto M>
Field boolean_field(const char* name, const char* help) {
  return row({FieldType::boolean, name, help},
             [](Decoder& d, const Field&, Value& value, void* target) {
               if (auto yes = d.boolean(value)) Member<M>::of(target) = *yes;
             });
}

template <auto M>
Field integer_field(const char* name, const char* help) {
  Field field = row({FieldType::integer, name, help},
                    [](Decoder& d, const Field& f, Value& value, void* target) {
                      if (auto number = d.integer(f, value)) {
                        Member<M>::of(target) = static_cast<typename Member<M>::Type>(*number);
                      }
                    });
  return std::move(field).between(0, 2147483647);
}

template <auto M>
Field number_field(const char* name, const char* help) {
  return row({FieldType::number, name, help},
             [](Decoder& d, const Field& f, Value& value, void* target) {
               if (auto number = d.number(f, value)) Member<M>::of(target) = *number;
             });
}

template <auto M>
Field duration_field(const char* name, const char* help) {
  return row({FieldType::duration, name, help},
             [](Decoder& d, const Field& f, Value& value, void* target) {
               if (auto seconds = d.duration(f, value)) Member<M>::of(target) = *seconds;
             });
}

template <auto M>
Field size_field(const char* name, const char* help) {
  return row({FieldType::size, name, help},
             [](Decoder& d, const Field& f, Value& value, void* target) {
               if (auto bytes = d.size(f, value)) Member<M>::of(target) = *bytes;
             });
}

// `choices` in the order of the enum; `first` is the number of the first one.
template <auto M, int first = 0>
Field choice_field(const char* name, const char* help, std::vector<std::string> choices) {
  Field field = row({FieldType::choice, name, help}, [](Decoder& d, const Field& f, Value& value,
                                                        void* target) {
    if (auto at = d.choice(f, value)) {
      Member<M>::of(target) = static_cast<typename Member<M>::Type>(static_cast<int>(*at) + first);
    }
  });
  field.choices = std::move(choices);
  return field;
}

template <auto M>
Field argv_field(const char* name, const char* help) {
  Field field = row({FieldType::argv, name, help},
                    [](Decoder& d, const Field& f, Value& value, void* target) {
                      if (auto words = d.argv(f, value)) Member<M>::of(target) = *words;
                    });
  return std::move(field).filled();
}

template <auto M>
Field strings_field(const char* name, const char* help) {
  return row({FieldType::strings, name, help},
             [](Decoder& d, const Field& f, Value& value, void* target) {
               if (auto texts = d.strings(f, value)) Member<M>::of(target) = *texts;
             });
}

template <auto M>
Field path_field(const char* name, const char* help) {
  return row({FieldType::path, name, help},
             [](Decoder& d, const Field& f, Value& value, void* target) {
               auto text = d.text(f, value);
               if (!text) return;
               const Origin origin = value.origin();
               value = Value::string(d.absolute(*text));
               value.set_origin(origin);
               Member<M>::of(target) = value.as_string();
             });
}

template <auto M>
Field section_field(const char* name, const char* help, const Section* (*section)()) {
  Field field = row({FieldType::object, name, help},
                    [](Decoder& d, const Field& f, Value& value, void* target) {
                      auto& member = Member<M>::of(target);
                      if constexpr (requires { member.emplace(); }) {
                        member.emplace();
                        d.section(*f.section(), value, &*member);
                      } else {
                        d.section(*f.section(), value, &member);
                      }
                    });
  field.section = section;
  return field;
}

// One value is accepted today, and means what happens anyway.
inline Field only_field(const char* name, const char* help, const char* value) {
  Field field =
      row({FieldType::only, name, help}, [](Decoder& d, const Field& f, Value& given, void*) {
        if (given.kind() != Value::Kind::string || given.as_string() != f.choices[0]) {
          d.fail(given, "`" + f.name + "` other than `" + f.choices[0] + "` is not supported yet");
        }
      });
  field.choices = {value};
  field.sample = value;
  return field;
}

// fields_gpus.cpp: `gpus` of a campaign, and of a runner.
Field pool_field();
Field demand_field();

// `instead`: what to say in place of "is not supported yet".
inline Field unsupported_field(const char* name, const char* instead = "") {
  Field field;
  field.type = FieldType::unsupported;
  field.name = name;
  field.help = instead;
  return field;
}

}  // namespace campaign
