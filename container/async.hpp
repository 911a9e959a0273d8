// The house's coroutine vocabulary. Everything here runs on one io_context, on one thread.
#pragma once

#include <boost/asio/awaitable.hpp>

namespace container {

template <class T = void>
using Task = boost::asio::awaitable<T>;

}  // namespace container
