#include "container/tar.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace container {
namespace {

TEST(Tar, WhatIsMadeIsRead) {
  for (const std::size_t size : {0, 1, 511, 512, 513, 5000}) {
    const std::string content(size, 'x');
    const auto archive = make_tar({{.path = "a", .content = content}});
    EXPECT_EQ(archive.size() % 512, 0u);
    EXPECT_EQ(first_file_in_tar(archive), content);
  }
}

TEST(Tar, ACutArchiveHasNoFile) {
  const auto archive = make_tar({{.path = "a", .content = std::string(1000, 'x')}});
  for (std::size_t length = 0; length < 512 + 1000; ++length)
    EXPECT_FALSE(first_file_in_tar(std::string_view(archive).substr(0, length))) << length;
}

TEST(Tar, APathThatDoesNotFitIsRefused) {
  EXPECT_THROW(make_tar({{.path = std::string(101, 'a'), .content = ""}}), std::invalid_argument);
}

}  // namespace
}  // namespace container
