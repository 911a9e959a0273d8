#include "controller/supervise/service.hpp"

#include <boost/system/system_error.hpp>
#include <exception>
#include <limits>

namespace controller::supervise {

namespace {

Task<> until_asked(Wake& wake, std::stop_token token) {
  while (!token.stop_requested()) co_await wake.wait(std::numeric_limits<double>::infinity());
}

}  // namespace

Task<> ServiceContext::wait(double seconds) {
  if (!stopping()) co_await wake_.wait(seconds);
}

Task<bool> ServiceContext::unless_stopped(Task<> task) {
  co_return co_await container::finished_before(std::move(task), until_asked(wake_, token()));
}

Task<std::string> failure_of(const ServiceBody& body, ServiceContext& context) {
  std::string failure;
  try {
    co_await body(context);
  } catch (const boost::system::system_error& error) {
    failure = error.code() == boost::asio::error::operation_aborted ? "cancelled" : error.what();
  } catch (const std::exception& error) {
    failure = error.what();
    if (failure.empty()) failure = "an exception without a text";
  } catch (...) {
    failure = "an exception of an unknown kind";
  }
  co_return failure;
}

}  // namespace controller::supervise
