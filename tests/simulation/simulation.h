#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "eventstore/waiting_room.h"
#include "tests/simulation/workload.h"
#include "tests/simulation/world.h"

namespace daybook::simulation {

/// One run of the core under one seed: virtual clients, faults, and the oracle of World at every
/// step. All that happens follows from the seed.
class Simulation {
 public:
  Simulation(std::uint64_t seed, Trace& trace);

  /// First with faults, then without: every request must then get a definite answer. Throws
  /// Violation.
  void run();

  std::uint64_t step() const { return step_; }
  std::uint64_t events() const { return world_->model().log().size(); }

 private:
  /// What the seed chose for this run: sizes, and how often each thing happens (0: never).
  struct Plan {
    std::uint64_t steps = 0;
    bool hoards = false;
    std::size_t queue_max = 0;
    std::uint64_t crash_per_mille = 0;
    std::uint64_t append_fault_per_mille = 0;
    std::uint64_t read_fault_per_mille = 0;
    std::uint64_t lost_percent = 0;
    std::uint64_t retry_percent = 0;
    std::uint64_t clock_percent = 0;
    std::uint64_t half_batch_percent = 0;
    std::uint64_t table_write_fault_per_mille = 0;
    std::uint64_t write_side_percent = 0;
    std::uint64_t read_side_percent = 0;
  };
  struct Request {
    std::string label;
    eventstore::Command command;
    bool answered = false;  ///< The client has got a definite answer.
  };
  struct Queued {
    std::size_t request;
    eventstore::PreparedCommand prepared;
  };

  void take_step();
  void issue();
  void send(std::size_t request);
  void offer_some();
  void arrive(Queued queued, bool gives_up);
  void look_again();
  void serve_room(bool gives_up);
  void write_side();
  void read_side();
  void append();
  void close_time();
  void project();
  void move_clock();
  void crash();
  void settle_everything();
  void offer(eventstore::PreparedCommand prepared, bool gives_up);
  void answered(std::size_t request, const eventstore::Answer& answer);

  Trace& trace_;
  Rng rng_;
  Plan plan_;
  std::unique_ptr<World> world_;
  std::unique_ptr<Workload> workload_;
  std::vector<Request> requests_;
  std::vector<Queued> queue_;  ///< Looked up, on their way to the ledger's queue.
  eventstore::WaitingRoom room_;
  std::vector<eventstore::WaitingRoom::Party> away_;
  std::vector<std::size_t> arrivals_;  ///< Requests, in the order in which the ledger got them.
  std::map<domain::StreamId, std::uint64_t> last_decided_;  ///< The newest arrival of each stream.
  /// Where the answer to a request stands, once given: (event, original).
  std::map<std::size_t, std::pair<std::uint64_t, std::uint64_t>> stands_;
  std::uint64_t step_ = 0;
};

}  // namespace daybook::simulation
