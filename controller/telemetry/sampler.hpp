// Reads the sensors of all tracks at absolute ticks of CLOCK_MONOTONIC, on a thread of its own.
// The controller's thread never waits for a sensor: rows come through rings, and a sensor that
// does not come back is given up together with the thread that it holds.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "campaign/state/journal.hpp"
#include "controller/telemetry/row_ring.hpp"
#include "controller/telemetry/sensor.hpp"

namespace controller::telemetry {

constexpr std::size_t most_columns = 256;  // of one sensor

// Shared with the sampler's thread, which may be held by a sensor that has hung for good.
using SensorPtr = std::shared_ptr<Sensor>;

// What is sampled for one attempt. Made by the controller, read by the sampler; what they share
// beside the ring belongs to the sampler's mutex.
struct Track {
  Track(std::size_t rows, std::size_t columns) : ring(rows, columns) {}

  struct Place {
    SensorPtr sensor;       // none: nothing is read into its columns
    std::size_t first = 0;  // its columns in a row
    std::size_t columns = 0;
    int failure = 0;  // the errno of its last reading
    bool hung = false;
  };
  RowRing ring;
  std::vector<Place> places;
  bool closing = false;  // a last row is to be read
  bool closed = false;
};
using TrackPtr = std::shared_ptr<Track>;  // of the controller and the sampler

class Sampler {
 public:
  Sampler(int interval_ms, const campaign::Clock& clock);
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  // The life of a sampler's thread: returns at a stop, or when it was given up. One at a time, but
  // for those that were given up.
  void run(const std::stop_token& stop);

  // All that follows: the controller's thread. A row is read at once when a track is added, a
  // sensor joins it, or it is closed.
  void add(TrackPtr track);
  void join(Track& track, std::size_t place, SensorPtr sensor);
  void close(Track& track);
  void read_now();  // a row of every track: one of its sensors has something new
  bool closed(const Track& track) const;
  // Nothing is read for it any more, whatever the thread does.
  void forget(const Track& track);
  Track::Place place(const Track& track, std::size_t place) const;
  // Called now and then, `patience` or more apart. True: the thread has been in one reading since
  // the last call. Its sensor is given up, and so is the thread: run() has to be begun anew.
  bool give_up_what_hangs();
  // Whatever thread is left does nothing any more.
  void abandon();

 private:
  using Lock = std::unique_lock<std::mutex>;
  // Of one thread. A sensor writes into its memory, never into a row: it may come back late.
  struct Thread {
    Lock lock;
    int generation = 0;
    std::vector<double> values;
  };
  bool mine(const Thread& thread) const { return thread.generation == generation_; }
  std::optional<std::int64_t> until_due(Thread& thread, const std::stop_token& stop);
  // `due_ns` none: between ticks.
  void read_all(Thread& thread, std::optional<std::int64_t> due_ns);
  bool read(Thread& thread, Track& track, Track::Place& from, std::span<double> row);
  void drop_closed();

  const std::int64_t interval_ns_;
  const campaign::Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<TrackPtr> tracks_;
  bool asked_ = false;         // for a row between ticks
  std::int64_t begun_ns_ = 0;  // of the ticks, 0 = nothing is sampled
  std::int64_t ticks_ = 0;     // so many of them are over
  int generation_ = 0;         // of the thread that may go on
  Sensor* reading_ = nullptr;
  std::size_t readings_ = 0, seen_ = 0;  // begun; at the last look
};

}  // namespace controller::telemetry
