#include "controller/telemetry/sampler.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

namespace controller::telemetry {

namespace {

constexpr std::int64_t ns_per_ms = 1'000'000;

// The steady clock of the standard library is CLOCK_MONOTONIC.
std::chrono::steady_clock::time_point moment(std::int64_t mono_ns) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(mono_ns));
}

}  // namespace

Sampler::Sampler(int interval_ms, const campaign::Clock& clock)
    : interval_ns_(interval_ms * ns_per_ms), clock_(clock) {}

// The tick that has come; none for a row that was asked for, or when this thread is to end.
std::optional<std::int64_t> Sampler::until_due(Thread& thread, const std::stop_token& stop) {
  if (tracks_.empty()) {
    begun_ns_ = 0;
    changed_.wait(thread.lock, stop, [&] { return !mine(thread) || !tracks_.empty(); });
    if (tracks_.empty()) return std::nullopt;
  }
  if (begun_ns_ == 0) {
    begun_ns_ = clock_.monotonic_ns();
    ticks_ = 0;
  }
  const std::int64_t due = begun_ns_ + (ticks_ + 1) * interval_ns_;
  const auto over = [&] { return asked_ || !mine(thread); };
  if (changed_.wait_until(thread.lock, stop, moment(due), over) || stop.stop_requested())
    return std::nullopt;
  ticks_ = std::max(ticks_ + 1, (clock_.monotonic_ns() - begun_ns_) / interval_ns_);
  return due;
}

void Sampler::run(const std::stop_token& stop) {
  Thread thread{
      .lock = Lock(mutex_), .generation = generation_, .values = std::vector<double>(most_columns)};
  while (!stop.stop_requested() && mine(thread)) {
    const auto due = until_due(thread, stop);
    if (stop.stop_requested() || !mine(thread)) return;
    if (!due && !asked_) continue;
    if (!due) asked_ = false;
    read_all(thread, due);
  }
}

void Sampler::read_all(Thread& thread, std::optional<std::int64_t> due_ns) {
  // More may come while a sensor is read.
  for (std::size_t next = 0; next < tracks_.size();) {
    const TrackPtr track = tracks_[next++];
    const bool last = track->closing;
    const std::span<double> row = track->ring.next();
    const std::int64_t now = clock_.monotonic_ns();
    for (Track::Place& place : track->places)
      if (!read(thread, *track, place, row)) return;
    if (track->closed) continue;
    if (due_ns)
      track->ring.put(now, now - *due_ns);
    else
      track->ring.put(now, std::nullopt);
    track->closed = last;
  }
  drop_closed();
}

// False: this thread was given up meanwhile, and may touch nothing any more.
bool Sampler::read(Thread& thread, Track& track, Track::Place& from, std::span<double> row) {
  if (!from.sensor || from.hung || track.closed) return true;
  const SensorPtr sensor = from.sensor;
  const auto values = std::span(thread.values).first(from.columns);
  std::ranges::fill(values, std::numeric_limits<double>::quiet_NaN());
  reading_ = sensor.get();
  ++readings_;
  thread.lock.unlock();
  const int failure = sensor->read(values);
  thread.lock.lock();
  if (!mine(thread)) return false;
  reading_ = nullptr;
  from.failure = failure;
  if (failure == 0) std::ranges::copy(values, row.subspan(from.first).begin());
  return true;
}

void Sampler::drop_closed() {
  std::erase_if(tracks_, [](const TrackPtr& track) { return track->closed; });
}

void Sampler::add(TrackPtr track) {
  const Lock lock(mutex_);
  tracks_.push_back(std::move(track));
  asked_ = true;
  changed_.notify_all();
}

void Sampler::join(Track& track, std::size_t place, SensorPtr sensor) {
  const Lock lock(mutex_);
  track.places[place].sensor = std::move(sensor);
  asked_ = true;
  changed_.notify_all();
}

void Sampler::close(Track& track) {
  const Lock lock(mutex_);
  track.closing = true;
  asked_ = true;
  changed_.notify_all();
}

void Sampler::read_now() {
  const Lock lock(mutex_);
  asked_ = true;
  changed_.notify_all();
}

bool Sampler::closed(const Track& track) const {
  const Lock lock(mutex_);
  return track.closed;
}

void Sampler::forget(const Track& track) {
  const Lock lock(mutex_);
  for (const TrackPtr& each : tracks_)
    if (each.get() == &track) each->closed = true;
}

Track::Place Sampler::place(const Track& track, std::size_t place) const {
  const Lock lock(mutex_);
  return track.places[place];
}

bool Sampler::give_up_what_hangs() {
  const Lock lock(mutex_);
  const bool hangs = reading_ && readings_ == seen_;
  seen_ = readings_;
  if (!hangs) return false;
  for (const TrackPtr& track : tracks_)
    for (Track::Place& place : track->places)
      place.hung = place.hung || place.sensor.get() == reading_;
  reading_ = nullptr;
  ++generation_;
  asked_ = true;
  return true;
}

void Sampler::abandon() {
  const Lock lock(mutex_);
  ++generation_;
  changed_.notify_all();
}

}  // namespace controller::telemetry
